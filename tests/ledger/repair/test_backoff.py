"""Failed repairs are left alone for longer and longer."""

import pytest
from magnetar_ledger.repair import backoff
from magnetar_ledger.repair.backoff import RepairBackoff


def test_the_pause_doubles_up_to_its_bound() -> None:
    failures = RepairBackoff(1000, 5000)
    assert 7 not in failures
    pauses = [failures.failed(7, 0) for _ in range(5)]
    assert pauses == [1000, 2000, 4000, 5000, 5000]
    assert failures.count(7) == 5
    failures.now_ms = 4999
    assert 7 in failures
    assert 8 not in failures
    failures.now_ms = 5000
    assert 7 not in failures
    assert failures.count(7) == 5  # known still
    failures.succeeded(7)
    assert failures.count(7) == 0
    assert failures.failed(7, 0) == 1000


def test_after_a_change_all_are_tried_again() -> None:
    failures = RepairBackoff(1000, 5000)
    failures.failed(7, 0)
    failures.retry_now()
    assert 7 not in failures
    assert failures.failed(7, 0) == 2000


def test_so_many_failures_are_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "_REMEMBERED", 3)
    failures = RepairBackoff(1000, 5000)
    for ledger_id in range(5):
        failures.failed(ledger_id, 0)
    assert [e for e in range(5) if e in failures] == [2, 3, 4]
    for _ in range(100):
        assert failures.failed(4, 0) <= 5000
