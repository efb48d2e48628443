"""The delayed index against a list, with buckets and restarts, and what its rows take."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from magnetar_broker.dispatch import delayed_index
from magnetar_broker.dispatch.delayed_buckets import BucketMaker, Directory, StoredBucket
from magnetar_broker.dispatch.delayed_index import NEVER_MS, DelayedIndex
from magnetar_broker.dispatch.delayed_runs import SortedRun


class IndexAgainstAList(RuleBasedStateMachine):
    """`kept` is the side ledgers: bucket entries by ledger id, which outlive a restart."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.index = DelayedIndex()
        self.rows: list[tuple[int, int, int]] = []
        self.kept: dict[int, list[bytes]] = {}
        self.storing: tuple[list[SortedRun], list[bytes]] | None = None
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

    @rule()
    def add_again(self) -> None:
        """As reading does that starts anew."""
        for row in self.rows:
            assert not self.index.add(*row)

    @rule(passed=st.integers(0, 20), limit=st.integers(1, 9))
    def take(self, passed: int, limit: int) -> None:
        self.now += passed
        times = {(ledger_id, entry_id): at for at, ledger_id, entry_id in self.rows}
        due = sorted(at for at, _, _ in self.rows if at <= self.now)[:limit]
        taken = self._take(limit)
        assert [times[each] for each in taken] == due
        assert len(set(taken)) == len(taken)
        self.rows = [row for row in self.rows if row[1:] not in taken]

    def _take(self, limit: int) -> list[tuple[int, int]]:
        taken: list[tuple[int, int]] = []
        while len(taken) < limit and self.index.next_ms <= self.now:
            got = self.index.take_due(self.now, limit - len(taken))
            taken += [tuple(each) for each in got]
            if self.index.stuck and self.index.next_ms <= self.now:
                loads = self.index.to_load(self.now)
                assert loads
                for bucket in loads:
                    run = SortedRun.decode(self.kept[bucket.ledger_id][bucket.segment])
                    self.index.loaded(bucket, run)
        return taken

    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        if self.rows:
            row = data.draw(st.sampled_from(self.rows))
            self.rows.remove(row)
            assert self.index.waiting.discard(*row[1:])

    @rule(segment_rows=st.integers(1, 6))
    def begin_bucket(self, segment_rows: int) -> None:
        runs = self.index.runs()
        if self.storing is None and runs:
            maker = BucketMaker(runs, segment_rows)
            while maker.step():
                pass
            self.storing = runs, maker.entries

    @rule()
    def end_bucket(self) -> None:
        if self.storing is not None:
            (runs, entries), self.storing = self.storing, None
            ledger_id = len(self.kept)
            self.kept[ledger_id] = entries
            self.index.replace(runs, StoredBucket(ledger_id, Directory.decode(entries[-1])))

    @rule()
    def restart(self) -> None:
        """What is in a bucket comes back from there, the rest by reading what is not acked."""
        self.storing = None
        self.index.clear()
        known: set[tuple[int, int]] = set()
        rows = {row[1:] for row in self.rows}
        for ledger_id, entries in self.kept.items():
            bucket = StoredBucket(ledger_id, Directory.decode(entries[-1]))
            self.index.restore(bucket, Directory.decode(entries[-1]).entries)
            for segment in entries[:-1]:
                known |= {
                    delayed_index.position_of(key) for key in SortedRun.decode(segment).remaining()
                }
        for gone in known - rows:  # acked, which the cursor knows
            self.index.waiting.discard(*gone)
        for row in self.rows:
            assert self.index.add(*row) is False or row[1:] not in known

    @rule()
    def clear(self) -> None:
        self.index.clear()
        self.rows.clear()
        self.kept.clear()
        self.storing = None

    @invariant()
    def agrees(self) -> None:
        assert self.index.rows == len(self.rows)
        assert self.index.next_ms <= min((at for at, _, _ in self.rows), default=NEVER_MS)
        assert self.index.size_bytes >= 0

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
    assert index.size_bytes <= 10 * 20_000 + 72 * 2_048 + 4_096
    first = sorted(range(20_000), key=lambda n: n * 7919 % 20_000)[:3]
    assert index.take_due(NEVER_MS - 1, 3) == [(5, entry_id) for entry_id in first]
