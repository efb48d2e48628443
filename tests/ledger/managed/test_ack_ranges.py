"""Ack ranges against the plainest model: a set of acked positions in a known order of entries."""

import tracemalloc

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from magnetar_ledger.managed.ack_ranges import MOST_BATCH_BYTES, AckRanges
from magnetar_ledger.managed.ledger_list import LedgerList
from magnetar_ledger.position import Position


def ledgers(*lengths: int, step: int = 10) -> LedgerList:
    """Ledgers 10, 20, 30...; the last one is open."""
    result = LedgerList()
    for number, length in enumerate(lengths[:-1], start=1):
        result.append_closed(number * step, length, length)
    result.append_open(len(lengths) * step)
    result.grow(lengths[-1], lengths[-1])
    return result


def test_acks_in_order_move_mark_delete() -> None:
    ranges = AckRanges(ledgers(3, 2), Position(10, -1))
    for position in [(10, 0), (10, 1), (10, 2), (20, 0)]:
        assert ranges.ack(Position(*position))
        assert ranges.mark_delete == position
    assert ranges.backlog_entries == 1
    assert ranges.first_unacked() == (20, 1)


def test_a_hole_holds_mark_delete_until_it_closes() -> None:
    ranges = AckRanges(ledgers(3, 2), Position(10, -1))
    for position in [(10, 1), (10, 2), (20, 0)]:
        assert ranges.ack(Position(*position))
    assert ranges.mark_delete == (10, -1)
    assert ranges.backlog_entries == 2
    assert list(ranges.ranges()) == [((10, 0), (10, 2)), ((20, -1), (20, 0))]
    assert ranges.ack(Position(10, 0))
    assert ranges.mark_delete == (20, 0)
    assert list(ranges.ranges()) == []


def test_acks_close_up_over_empty_ledgers() -> None:
    ranges = AckRanges(ledgers(1, 0, 0, 2), Position(10, -1))
    ranges.ack(Position(40, 0))
    ranges.ack(Position(10, 0))
    assert ranges.mark_delete == (40, 0)


def test_mark_delete_waits_in_a_ledger_that_may_grow() -> None:
    order = ledgers(2)
    ranges = AckRanges(order, Position(10, -1))
    ranges.ack(Position(10, 0))
    ranges.ack(Position(10, 1))
    assert ranges.first_unacked() == (10, 2)
    order.append_open(20)
    assert ranges.first_unacked() == (20, 0)
    order.grow(1, 1)
    assert ranges.ack(Position(20, 0))
    assert ranges.mark_delete == (20, 0)


@pytest.mark.parametrize("position", [(10, 3), (10, 2**62), (15, 0), (99, 0), (20, -1), (20, 2)])
def test_acks_of_entries_that_do_not_exist_change_nothing(position: tuple[int, int]) -> None:
    ranges = AckRanges(ledgers(3, 2), Position(10, 0))
    assert not ranges.ack(Position(*position))
    assert not ranges.ack_batch(Position(*position), [1], 2)
    assert (ranges.mark_delete, ranges.backlog_entries) == ((10, 0), 4)
    if position != (20, -1):
        assert not ranges.ack_through(Position(*position))


def test_a_batch_is_acked_bit_by_bit() -> None:
    ranges = AckRanges(ledgers(3), Position(10, -1))
    first = Position(10, 0)
    assert ranges.ack_batch(first, [0b101], 3)
    assert ranges.ack_set_of(first) == (0b101,)
    assert not ranges.ack_batch(first, [0b111], 3)
    assert ranges.ack_batch(first, [0b110], 3)
    assert ranges.ack_set_of(first) == (0b100,)
    assert not ranges.is_acked(first)
    assert ranges.ack_batch(first, [0b011], 3)
    assert ranges.is_acked(first)
    assert ranges.ack_set_of(first) is None
    assert ranges.mark_delete == first


def test_bits_beyond_a_batch_do_not_keep_it_alive() -> None:
    ranges = AckRanges(ledgers(3), Position(10, -1))
    assert ranges.ack_batch(Position(10, 0), [-8], 3)
    assert ranges.mark_delete == (10, 0)


def test_a_batch_size_that_is_a_lie_takes_no_memory() -> None:
    ranges = AckRanges(ledgers(3), Position(10, -1))
    tracemalloc.start()
    assert ranges.ack_batch(Position(10, 0), [0b110], 2**31 - 1)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_part_acks_beyond_their_room_are_not_taken_and_what_goes_makes_room() -> None:
    ranges = AckRanges(ledgers(1, 20, 1), Position(10, -1))
    words = [0, *[-1] * (MOST_BATCH_BYTES // 80)]  # a tenth of the room each
    for entry_id in range(20):
        ranges.ack_batch(Position(20, entry_id), words)
    assert ranges.batch_bytes <= MOST_BATCH_BYTES
    assert ranges.batch_count == 9
    assert not ranges.ack_batch(Position(20, 9), words)
    assert ranges.ack_set_of(Position(20, 9)) is None
    assert ranges.ack_batch(Position(20, 8), [0, 1])  # less than before
    assert ranges.ack(Position(20, 0))
    assert ranges.ack_batch(Position(20, 9), words)
    assert ranges.ack_through(Position(20, 5))
    assert ranges.ack_through(Position(30, -1))
    assert (ranges.batch_count, ranges.batch_bytes) == (0, 0)


def test_a_cumulative_ack_forgets_what_it_passes() -> None:
    ranges = AckRanges(ledgers(4, 4), Position(10, -1))
    ranges.ack(Position(10, 2))
    ranges.ack(Position(20, 1))
    ranges.ack_batch(Position(10, 1), [1], 2)
    ranges.ack_batch(Position(20, 3), [1], 2)
    assert ranges.ack_through(Position(20, 0))
    assert ranges.mark_delete == (20, 1)
    assert ranges.acked_behind == 0
    assert list(ranges.batches()) == [((20, 3), (1,))]
    assert not ranges.ack_through(Position(20, 1))


def test_an_old_form_of_range_may_span_ledgers() -> None:
    ranges = AckRanges(ledgers(4, 4, 4), Position(10, -1))
    ranges.restore(ranges=[(Position(10, 1), Position(30, 0))])
    assert list(ranges.ranges()) == [
        ((10, 1), (10, 3)),
        ((20, -1), (20, 3)),
        ((30, -1), (30, 0)),
    ]
    assert ranges.backlog_entries == 5


def test_a_snapshot_of_entries_that_are_gone_is_left_out() -> None:
    ranges = AckRanges(ledgers(4, 4), Position(10, 1))
    ranges.restore(
        ranges=[(Position(5, 0), Position(5, 9)), (Position(20, 1), Position(20, 99))],
        bitmaps=[(7, b"\xff"), (10, b"\x01")],
        batches=[(Position(5, 1), (1,)), (Position(10, 3), (2,))],
    )
    assert list(ranges.ranges()) == [((20, 1), (20, 3))]
    assert list(ranges.batches()) == [((10, 3), (2,))]
    assert (ranges.mark_delete, ranges.acked_behind) == ((10, 1), 2)


def test_mark_delete_in_a_ledger_that_is_gone_reads_on_in_the_next() -> None:
    ranges = AckRanges(ledgers(4, 4), Position(5, 7))
    assert ranges.first_unacked() == (10, 0)
    assert ranges.backlog_entries == 8
    assert ranges.ack(Position(10, 0))
    assert ranges.mark_delete == (10, 0)


class AckRangesAgainstASet(RuleBasedStateMachine):
    """Entries in ledgers that fill and roll; acks in any order; snapshots in both forms."""

    def __init__(self) -> None:
        super().__init__()
        self.order = LedgerList()
        self.order.append_open(1)
        self.entries: list[Position] = []
        self.acked: set[Position] = set()
        self.left: dict[Position, set[int]] = {}
        self.ranges = AckRanges(self.order, Position(1, -1))

    @rule(count=st.integers(1, 9))
    def append(self, count: int) -> None:
        ledger_id = self.order.current_id
        first = self.order.entries[ledger_id]
        self.entries += [Position(ledger_id, first + i) for i in range(count)]
        self.order.grow(count, count)

    @rule(gap=st.integers(1, 3))
    def roll(self, gap: int) -> None:
        self.order.append_open(self.order.current_id + gap)

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        position = data.draw(st.sampled_from(self.entries))
        assert self.ranges.ack(position) == (position not in self.acked)
        self._ack(position)

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def ack_through(self, data: st.DataObject) -> None:
        position = data.draw(st.sampled_from(self.entries))
        self.ranges.ack_through(position)
        for each in self.entries:
            if each <= position:
                self._ack(each)

    @precondition(lambda self: self.entries)
    @rule(data=st.data(), gone=st.sets(st.integers(0, 3)))
    def ack_batch(self, data: st.DataObject, gone: set[int]) -> None:
        position = data.draw(st.sampled_from(self.entries))
        words = [sum(1 << bit for bit in range(4) if bit not in gone)]
        self.ranges.ack_batch(position, words, 4)
        if position not in self.acked:
            left = self.left.setdefault(position, {0, 1, 2, 3})
            left -= gone
            if not left:
                self._ack(position)

    @rule(as_bitmaps=st.booleans())
    def reopen(self, as_bitmaps: bool) -> None:
        old, self.ranges = self.ranges, AckRanges(self.order, self.ranges.mark_delete)
        batches = list(old.batches())
        if as_bitmaps:
            self.ranges.restore(bitmaps=list(old.bitmaps()), batches=batches)
        else:
            assert len(list(old.ranges())) == old.range_count()
            self.ranges.restore(ranges=list(old.ranges()), batches=batches)

    def _ack(self, position: Position) -> None:
        self.acked.add(position)
        self.left.pop(position, None)

    @invariant()
    def agrees(self) -> None:
        unacked = [each for each in self.entries if each not in self.acked]
        assert self.ranges.backlog_entries == len(unacked)
        for each in self.entries:
            assert self.ranges.is_acked(each) == (each in self.acked)
            left = self.left.get(each)
            words = None if left is None else (sum(1 << bit for bit in left),)
            assert self.ranges.ack_set_of(each) == words
        if unacked:
            assert self.ranges.first_unacked() == unacked[0]
            before = self.entries.index(unacked[0])
            if before:
                assert self.ranges.mark_delete == self.entries[before - 1]
        elif self.entries:
            assert self.ranges.mark_delete == self.entries[-1]
        touched = [each for each in self.entries if each in self.acked or each in self.left]
        assert self.ranges.last_acked == max([self.ranges.mark_delete, *touched])
        self._agrees_on_reading(unacked)

    def _agrees_on_reading(self, unacked: list[Position]) -> None:
        for each in self.entries[:: max(1, len(self.entries) // 5)]:
            behind = [other for other in unacked if other >= each]
            if behind:
                assert self.ranges.next_unacked(each) == behind[0]


AckRangesAgainstASet.TestCase.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None
)
TestAckRangesAgainstASet = AckRangesAgainstASet.TestCase


def test_acks_in_a_ledger_that_is_gone_count_no_more() -> None:
    """A cursor that holds nothing back, with a hole in a ledger that is trimmed."""
    order = ledgers(3, 2)
    ranges = AckRanges(order, Position(10, -1))
    for position in [(10, 1), (10, 2), (20, 1)]:
        ranges.ack(Position(*position))
    order.remove([10])
    assert ranges.ack_through(Position(20, -1))
    assert (ranges.acked_behind, ranges.backlog_entries) == (1, 1)
    assert ranges.first_unacked() == (20, 0)
    assert ranges.ack(Position(20, 0))
    assert (ranges.mark_delete, ranges.acked_behind) == ((20, 1), 0)
