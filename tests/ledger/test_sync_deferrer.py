"""Who can be asked to defer syncs."""

import pytest
from magnetar_ledger.errors import NotEnoughBookiesError
from magnetar_ledger.sync_deferrer import check_deferrers, deferrer

from tests.ledger.deferring_bookie import DeferringBookie
from tests.ledger.fake_bookie import FakeBookie


def test_only_those_that_can_now() -> None:
    able, unable = DeferringBookie(), DeferringBookie()
    unable.defers_sync = False
    assert deferrer(able) is able
    assert deferrer(unable) is None
    assert deferrer(FakeBookie()) is None
    check_deferrers([able, able])
    with pytest.raises(NotEnoughBookiesError, match="version 3"):
        check_deferrers([able, unable])
