"""A cursor's snapshot in a cursor ledger: its forms, its parts, and acks while it is made."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from magnetar_ledger.managed import cursor_records
from magnetar_ledger.managed.ack_bitmap import CHUNK_BYTES, CHUNK_ENTRIES
from magnetar_ledger.managed.cursor_records import MalformedCursorRecordError, SnapshotEntries
from magnetar_ledger.managed.cursor_state import CursorState
from magnetar_ledger.managed.ledger_list import LedgerList
from magnetar_ledger.position import Position
from magnetar_proto.managed_ledger_pb2 import PositionInfo

from tests.ledger.managed.test_ack_ranges import AckRangesAgainstASet
from tests.ledger.managed.test_cursor_state import facts, ledgers, state_of


def snapshot(
    state: CursorState, max_ranges_as_list: int = 1_000, max_bytes: int = 1_000_000
) -> list[bytes]:
    entries = SnapshotEntries(max_bytes)
    for piece in cursor_records.pieces(state, max_ranges_as_list):
        entries.add(piece)
    return entries.finish(state)


def taken(entries: Iterable[bytes]) -> CursorState:
    copy = CursorState(ledgers(), Position(3, -1))
    for _ in cursor_records.take(copy, [cursor_records.parse(entry) for entry in entries]):
        pass
    return copy


@given(
    st.sets(st.integers(0, 198)),
    st.sampled_from([0, 3, 10_000]),
    st.sampled_from([1, 30, 1_000_000]),
)
def test_a_snapshot_brings_all_back(
    acked: set[int], max_ranges_as_list: int, max_bytes: int
) -> None:
    state = state_of(acked)
    entries = snapshot(state, max_ranges_as_list, max_bytes)
    assert facts(taken(entries)) == facts(state)
    assert len(entries) == 1 or max_bytes < 1_000_000


def test_the_form_depends_on_the_number_of_ranges() -> None:
    state = state_of({2, 4, 6, 80})
    (entry,) = snapshot(state, 4)
    record = PositionInfo.FromString(entry)
    assert len(record.individualDeletedMessages) == 4
    assert not record.individualDeletedMessageRanges
    lower, upper = record.individualDeletedMessages[3].lowerEndpoint, 10
    assert (lower.ledgerId, lower.entryId) == (9, upper - 1)
    (entry,) = snapshot(state, 3)
    record = PositionInfo.FromString(entry)
    assert not record.individualDeletedMessages
    words = {each.key: list(each.values) for each in record.individualDeletedMessageRanges}
    assert words == {3: [0b1010100], 9: [1 << 10]}


def test_each_part_says_something_true_by_itself() -> None:
    """Pulsar reads only the last entry of the ledger, whichever that is."""
    state = state_of({0, 2, 4, 6, 80})
    entries = snapshot(state, 0, 1)
    assert [PositionInfo.FromString(entry).part for entry in entries] == [1, 2, 3, 0]
    assert PositionInfo.FromString(entries[-1]).partsBefore == 3
    for entry in entries:
        part = taken([entry])
        assert part.ranges.mark_delete == state.ranges.mark_delete
        assert part.properties == state.properties
        assert set(part.ranges.ranges()) <= set(state.ranges.ranges())


@given(st.sets(st.integers(0, 198)), st.permutations(range(199)), st.data())
def test_acks_that_come_while_it_is_made_do_no_harm(
    before: set[int], meanwhile: list[int], data: st.DataObject
) -> None:
    state = state_of(before)
    order = ledgers()
    entries = SnapshotEntries(40)
    left = iter(meanwhile)
    for piece in cursor_records.pieces(state, 0):
        entries.add(piece)
        for index in [next(left, 0) for _ in range(data.draw(st.integers(0, 20)))]:
            state.ranges.ack(order.position_at(index))
    copy = taken(entries.finish(state))
    for index in range(200):
        position = order.position_at(index)
        if index in before:
            assert copy.ranges.is_acked(position)
        if copy.ranges.is_acked(position):
            assert state.ranges.is_acked(position)


def test_a_very_long_ledger_takes_several_steps_and_entries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cursor_records, "_ENTRY_BITS_BYTES", 2 * CHUNK_BYTES)
    monkeypatch.setattr(cursor_records, "_STEP_BYTES", CHUNK_BYTES)
    order = LedgerList()
    order.append_open(9)
    order.grow(5 * CHUNK_ENTRIES, 1)
    state, copy = CursorState(order, Position(9, -1)), CursorState(order, Position(9, -1))
    acked = [1, CHUNK_ENTRIES, 3 * CHUNK_ENTRIES - 1, 3 * CHUNK_ENTRIES, 5 * CHUNK_ENTRIES - 1]
    for entry_id in acked:
        state.ranges.ack(Position(9, entry_id))
    entries = snapshot(state, 0, CHUNK_BYTES)
    assert len(entries) == 3
    for _ in cursor_records.take(copy, [cursor_records.parse(entry) for entry in entries]):
        pass
    assert list(copy.ranges.ranges()) == list(state.ranges.ranges())
    assert copy.ranges.acked_behind == 5


def test_garbage_is_refused() -> None:
    with pytest.raises(MalformedCursorRecordError):
        cursor_records.parse(b"\xff\xff\xff")


class CursorAgainstASet(AckRangesAgainstASet):
    """The same with redelivery counts, snapshots that acks run into, and crashes between them."""

    def __init__(self) -> None:
        super().__init__()
        self.state = CursorState(self.order, Position(1, -1))
        self.ranges = self.state.ranges
        self.counts: dict[Position, int] = {}
        self.kept: tuple[list[bytes], dict[Position, int]] = (snapshot(self.state), {})
        self.acked_before: set[Position] = set()

    @rule(as_bitmaps=st.booleans())
    def reopen(self, as_bitmaps: bool) -> None:
        self.snapshot_under_load(0 if as_bitmaps else 1_000, 1_000, 0)
        self._take_over()
        self._agrees_on_counts(self.counts)

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        position = data.draw(st.sampled_from(self.entries))
        if position not in self.acked:
            self.state.redeliveries.increment(*position)
            self.counts[position] = self.counts.get(position, 0) + 1

    @rule(
        max_ranges=st.sampled_from([0, 3, 1_000]),
        max_bytes=st.sampled_from([1, 20, 1_000]),
        every=st.integers(0, 3),
    )
    def snapshot_under_load(self, max_ranges: int, max_bytes: int, every: int) -> None:
        self.acked_before = set(self.acked)
        counts = dict(self.counts)
        entries = SnapshotEntries(max_bytes)
        for number, piece in enumerate(cursor_records.pieces(self.state, max_ranges), start=1):
            entries.add(piece)
            if every and self.entries and number % every == 0:
                position = self.entries[number * 7 % len(self.entries)]
                self.ranges.ack(position)
                self._ack(position)
        self.kept = entries.finish(self.state), counts

    @rule()
    def crash(self) -> None:
        """What was acked before the last snapshot is acked, what was not acked is not."""
        self._take_over()
        assert all(self.ranges.is_acked(each) for each in self.acked_before)
        found = {each for each in self.entries if self.ranges.is_acked(each)}
        assert found <= self.acked
        self.acked = found
        self.left = {
            each: {bit for bit in range(4) if words[0] >> bit & 1}
            for each in self.entries
            if (words := self.ranges.ack_set_of(each)) is not None
        }
        self._agrees_on_counts(self.kept[1])
        self.counts = {each: n for each in self.entries if (n := self.state.redeliveries.of(*each))}

    def _take_over(self) -> None:
        self.state = CursorState(self.order, Position(1, -1))
        self.ranges = self.state.ranges
        records = [cursor_records.parse(entry) for entry in self.kept[0]]
        for _ in cursor_records.take(self.state, records):
            pass

    def _agrees_on_counts(self, counts: dict[Position, int]) -> None:
        for position, count in counts.items():
            if not self.ranges.is_acked(position):
                assert self.state.redeliveries.of(*position) == count

    def _ack(self, position: Position) -> None:
        super()._ack(position)
        self.state.redeliveries.forget(*position)
        self.counts.pop(position, None)


CursorAgainstASet.TestCase.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None
)
TestCursorAgainstASet = CursorAgainstASet.TestCase


PULSARS_ENTRIES = {
    "080310ffffffffffffffffff01": (Position(3, -1), {}),
    "0803100922050a01701009": (Position(3, 9), {"p": 9}),
    "0803101e22150a116f746865722070726f64756365722dc3bc1072220d0a017010808080808080808040": (
        Position(3, 30),
        {"other producer-ü": 114, "p": 2**62},
    ),
}
"""What Apache Pulsar 4.0.7 wrote into the ledger of a cursor `pulsar.dedup`."""


@pytest.mark.parametrize(("entry", "content"), PULSARS_ENTRIES.items())
def test_entries_of_pulsar_are_read_and_written(
    entry: str, content: tuple[Position, dict[str, int]]
) -> None:
    mark_delete, properties = content
    copy = taken([bytes.fromhex(entry)])
    assert (copy.ranges.mark_delete, copy.properties) == (mark_delete, properties)
    assert [written.hex() for written in snapshot(copy)] == [entry]
