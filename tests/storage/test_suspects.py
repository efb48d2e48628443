"""Ledgers that readers met damage in."""

import pytest
from magnetar_storage import suspects as module
from magnetar_storage.suspects import Suspects


def test_each_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SUSPECTS", 2)
    suspects = Suspects()
    for ledger_id in (5, 4, 5, 6):
        suspects.add(ledger_id)
    assert suspects.take() == [5, 4]
    assert suspects.take() == []
