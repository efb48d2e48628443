"""What is scrubbed when."""

import pytest
from magnetar_storage.scrub import agenda as module
from magnetar_storage.scrub.agenda import ScrubAgenda
from magnetar_storage.scrub.config import ScrubConfig

CONFIG = ScrubConfig(interval_ms=1000, first_delay_ms=50, retry_ms=10, max_retry_ms=35)


def test_a_suspect_is_due_at_once_and_once() -> None:
    agenda = ScrubAgenda(CONFIG, 0)
    agenda.suspect(7)
    agenda.suspect(7)
    assert (len(agenda), agenda.due(0)) == (1, 7)
    agenda.done(7)
    assert (len(agenda), agenda.due(0)) == (0, None)


def test_what_failed_comes_again_ever_later() -> None:
    agenda = ScrubAgenda(CONFIG, 0)
    agenda.suspect(7)
    now_ms = 0
    for pause_ms in (10, 20, 35, 35):
        agenda.failed(7, now_ms)
        agenda.suspect(7)  # reads meet it again: no reason to hurry
        assert agenda.due(now_ms + pause_ms - 1) is None
        now_ms += pause_ms
        assert agenda.due(now_ms) == 7
    agenda.done(7)
    agenda.failed(7, now_ms)
    assert agenda.due(now_ms + 10) == 7


def test_those_that_are_due_longest_come_first() -> None:
    agenda = ScrubAgenda(CONFIG, 0)
    agenda.failed(1, 5)
    agenda.failed(2, 0)
    agenda.suspect(3)
    found = []
    while (ledger_id := agenda.due(100)) is not None:
        found.append(ledger_id)
        agenda.done(ledger_id)
    assert found == [3, 2, 1]


def test_a_pass_is_due_after_the_delay_and_then_at_intervals() -> None:
    agenda = ScrubAgenda(CONFIG, 100)
    assert [agenda.pass_due(at) for at in (149, 150, 151, 1149, 1150)] == [
        False, True, False, False, True,
    ]  # fmt: skip
    agenda.pass_failed(1200)
    assert [agenda.pass_due(at) for at in (1234, 1235)] == [False, True]


def test_without_an_interval_there_is_no_pass() -> None:
    agenda = ScrubAgenda(ScrubConfig(interval_ms=0, first_delay_ms=0), 0)
    assert not agenda.pass_due(1 << 40)


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LEDGERS", 3)
    agenda = ScrubAgenda(CONFIG, 0)
    for ledger_id in range(5):
        agenda.suspect(ledger_id)
        agenda.failed(ledger_id, 0)
    assert len(agenda) == 3
    assert agenda.due(10) == 0
