"""Bookies that fail too often are avoided for a while."""

import pytest
from magnetar_ledger.bookie_health import BookieHealth
from magnetar_ledger.config import LedgerClientConfig
from magnetar_proto.bookie import Status

CONFIG = LedgerClientConfig(quarantine_errors=3, quarantine_interval_ms=100, quarantine_ms=1000)


def test_enough_errors_within_the_interval_are_quarantine_for_its_time() -> None:
    health = BookieHealth(CONFIG)
    for now_ms in (0, 60, 120):
        health.answered("a", Status.TIMEOUT, now_ms)
        health.answered("b", Status.IO_ERROR, now_ms / 2)
    assert health.quarantined(120) == {"b"}
    health.answered("a", Status.TIMEOUT, 150)
    assert health.quarantined(150) == {"a", "b"}
    assert health.quarantined(1060) == {"a"}
    assert health.quarantined(1150) == frozenset()


@pytest.mark.parametrize(
    "status", [Status.OK, Status.NO_ENTRY, Status.NO_LEDGER, Status.FENCED, Status.UNAUTHORIZED]
)
def test_answers_of_a_bookie_that_works_do_not_count(status: Status) -> None:
    health = BookieHealth(CONFIG)
    for _ in range(10):
        health.answered("a", status, 0)
    assert not health.quarantined(0)


def test_it_can_be_turned_off() -> None:
    health = BookieHealth(LedgerClientConfig(quarantine_errors=0))
    health.answered("a", Status.TIMEOUT, 0)
    assert not health.quarantined(0)
