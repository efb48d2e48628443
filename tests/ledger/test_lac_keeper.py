"""Which bookies keep explicit LACs."""

from magnetar_ledger.lac_keeper import LacKeeper, keepers

from tests.ledger.fake_bookie import FakeBookie
from tests.ledger.test_explicit_lac import KeepingBookie


def test_only_those_that_can_and_do() -> None:
    able, other = KeepingBookie("able"), KeepingBookie("other")
    other.keeps_lac = False
    assert isinstance(other, LacKeeper)
    assert keepers([FakeBookie("plain"), other, able]) == [able]
