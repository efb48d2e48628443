import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from magnetar_broker.pending_acks import PendingAcks
from magnetar_ledger.position import Position


def test_an_entry_is_held_once() -> None:
    pending = PendingAcks()
    pending.add(1, 5, (1,))
    with pytest.raises(AssertionError):
        pending.add(1, 4, (1, 1))


def test_acks_in_parts_give_back_what_they_took() -> None:
    pending = PendingAcks()
    pending.add(1, 5, (10, 3))
    assert pending.held_of(1, 5) == 10
    assert pending.reduce_to(1, 5, 4) == 6
    assert (pending.held_of(1, 5), pending.held_of(1, 9), pending.held_of(9, 9)) == (4, 0, 0)
    assert pending.reduce_to(1, 5, 7) == 0  # an older state that comes late
    assert pending.reduce_to(1, 5, 0) == 4
    assert pending.reduce_to(1, 5, 0) == 0
    assert pending.reduce_to(9, 9, 0) == 0
    assert list(pending) == [Position(1, 6)]


class PendingModel(RuleBasedStateMachine):
    """Against a plain dict."""

    def __init__(self) -> None:
        super().__init__()
        self.pending = PendingAcks()
        self.model: dict[tuple[int, int], int] = {}

    @rule(ledger_id=st.integers(0, 2), entry_id=st.integers(0, 9), messages=st.integers(1, 4))
    def send(self, ledger_id: int, entry_id: int, messages: int) -> None:
        if (ledger_id, entry_id) not in self.model:
            self.pending.add(ledger_id, entry_id, (messages,))
            self.model[ledger_id, entry_id] = messages

    @rule(ledger_id=st.integers(0, 2), entry_id=st.integers(0, 9), remaining=st.integers(0, 4))
    def ack(self, ledger_id: int, entry_id: int, remaining: int) -> None:
        before = self.model.get((ledger_id, entry_id), 0)
        after = min(before, remaining)
        assert self.pending.reduce_to(ledger_id, entry_id, remaining) == before - after
        self.model.pop((ledger_id, entry_id), None)
        if after:
            self.model[ledger_id, entry_id] = after

    @rule()
    def clear(self) -> None:
        self.pending.clear()
        self.model.clear()

    @invariant()
    def agrees(self) -> None:
        assert sorted(self.pending) == sorted(self.model)
        assert self.pending.entries == len(self.model)
        assert all(position in self.pending for position in self.model)
        assert (3, 0) not in self.pending


PendingModel.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestPendingModel = PendingModel.TestCase
