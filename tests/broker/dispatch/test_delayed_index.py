"""The delayed index against a list, and what its rows take."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from magnetar_broker.dispatch import delayed_index
from magnetar_broker.dispatch.delayed_index import NEVER_MS, DelayedIndex


class IndexAgainstAList(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.index = DelayedIndex()
        self.rows: list[tuple[int, int, int]] = []
        self.entry_id = 0
        self.now = 0

    @initialize(run_rows=st.integers(1, 5))
    def begin(self, run_rows: int) -> None:
        self.patch.setattr(delayed_index, "RUN_ROWS", run_rows)

    @rule(delays=st.lists(st.integers(0, 30), max_size=6), ledger_id=st.integers(1, 3))
    def add(self, delays: list[int], ledger_id: int) -> None:
        for delay in delays:
            self.index.add(self.now + delay, ledger_id, self.entry_id)
            self.rows.append((self.now + delay, ledger_id, self.entry_id))
            self.entry_id += 1

    @rule(passed=st.integers(0, 20), limit=st.integers(1, 9))
    def take(self, passed: int, limit: int) -> None:
        self.now += passed
        times = {(ledger_id, entry_id): at for at, ledger_id, entry_id in self.rows}
        taken = self.index.take_due(self.now, limit)
        due = sorted(at for at, _, _ in self.rows if at <= self.now)
        assert [times[each] for each in taken] == due[:limit]
        assert len(set(taken)) == len(taken)
        self.rows = [row for row in self.rows if row[1:] not in taken]

    @rule()
    def clear(self) -> None:
        self.index.clear()
        self.rows.clear()

    @invariant()
    def agrees(self) -> None:
        assert self.index.rows == len(self.rows)
        assert self.index.next_ms == min((at for at, _, _ in self.rows), default=NEVER_MS)

    def teardown(self) -> None:
        self.patch.undo()


IndexAgainstAList.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None
)
TestIndexAgainstAList = IndexAgainstAList.TestCase


def test_waiting_entries_take_about_ten_bytes() -> None:
    index = DelayedIndex()
    for number in range(20_000):
        index.add(1_700_000_000_000 + number * 7919 % 20_000, 5, number)
    assert index.size_bytes <= 10 * 20_000
    first = sorted(range(20_000), key=lambda n: n * 7919 % 20_000)[:3]
    assert index.take_due(NEVER_MS - 1, 3) == [(5, entry_id) for entry_id in first]
