"""Bookies in quarantine are chosen only if there are too few others."""

import pytest
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.errors import NotEnoughBookiesError
from magnetar_proto.bookie import Status

from tests.ledger.cluster import Cluster
from tests.ledger.virtual_time import run


def test_quarantine_is_a_wish() -> None:
    async def main() -> None:
        tools = Cluster(3, LedgerClientConfig(quarantine_errors=1)).tools()
        tools.answered("b1", Status.TIMEOUT)
        for _ in range(20):
            assert "b1" not in await tools.choose(2, ())
        assert sorted(await tools.choose(3, ())) == ["b0", "b1", "b2"]
        assert await tools.choose(1, ["b0", "b2"]) == ("b1",)
        with pytest.raises(NotEnoughBookiesError):
            await tools.choose(2, ["b0"], ["b2"])

    run(main())
