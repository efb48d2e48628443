"""What a cursor has acknowledged: a mark-delete position and what is acknowledged behind it.

Everything up to mark-delete is acknowledged. Entries behind it are one bit each in a bitmap per
ledger; when they close up with mark-delete they are taken into it, also from one ledger to the
next. A batch entry that is acknowledged in part keeps the bits of what is left of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from magnetar_proto.ack_sets import bits_of_words, words_of_bits

from magnetar_ledger.managed.ack_bitmap import AckBitmap
from magnetar_ledger.managed.ledger_list import LedgerOrder
from magnetar_ledger.position import Position

MOST_BATCH_BYTES: Final = 2 << 20
"""Of all entries that are acknowledged in part, as 16,000 batches of 1,000 messages take.

Scenario: a client acknowledges one message each of many entries, with sets as long as a frame
allows. They filled the memory, and no entry of the cursor's ledger could take 200 of them.
"""

Range = tuple[Position, Position]
"""Open below, closed above: the first position is not part of it, the second is."""


class AckRanges:
    """Acknowledged entries over all ledgers of a topic.

    Acks of entries that do not exist change nothing: they come from clients.
    """

    __slots__ = (
        "_batches",
        "_bitmaps",
        "_mark_entry",
        "_mark_ledger",
        "_order",
        "acked_behind",
        "batch_bytes",
    )

    def __init__(self, order: LedgerOrder, mark_delete: Position) -> None:
        self._order = order
        self._mark_ledger, self._mark_entry = mark_delete
        self._bitmaps: dict[int, AckBitmap] = {}
        self._batches: dict[int, dict[int, int]] = {}
        self.acked_behind = 0
        """Entries behind mark-delete that are acknowledged."""
        self.batch_bytes = 0
        """What is left of entries that are acknowledged in part takes so many bytes as bit sets."""

    @property
    def mark_delete(self) -> Position:
        """The last entry before the first hole."""
        return Position(self._mark_ledger, self._mark_entry)

    @property
    def backlog_entries(self) -> int:
        """Entries that are not acknowledged."""
        order = self._order
        return order.end_index - order.index_after(self.mark_delete) - self.acked_behind

    @property
    def last_acked(self) -> Position:
        """The last entry that is acknowledged at least in part; nothing behind it is."""
        last = self.mark_delete
        for ledger_id, bitmap in self._bitmaps.items():
            last = max(last, Position(ledger_id, bitmap.last()))
        for ledger_id, entries in self._batches.items():
            last = max(last, Position(ledger_id, max(entries)))
        return last

    def is_acked(self, position: Position) -> bool:
        """True if the whole entry is acknowledged."""
        if position <= (self._mark_ledger, self._mark_entry):
            return True
        bitmap = self._bitmaps.get(position[0])
        return bitmap is not None and position[1] in bitmap

    def ack(self, position: Position) -> bool:
        """Acknowledge one entry; False if that changed nothing."""
        ledger_id, entry_id = position
        entries = self._order.entries.get(ledger_id, 0)
        if not 0 <= entry_id < entries:
            return False
        if ledger_id == self._mark_ledger:
            if entry_id <= self._mark_entry:
                return False
            if entry_id == self._mark_entry + 1:
                self._mark_entry = entry_id
                if self.acked_behind:
                    self._absorb()
                if self._batches:
                    self._drop_batch(ledger_id, entry_id)
                return True
        elif ledger_id < self._mark_ledger:
            return False
        return self._ack_behind(ledger_id, entry_id)

    def _ack_behind(self, ledger_id: int, entry_id: int) -> bool:
        if self._batches:
            self._drop_batch(ledger_id, entry_id)
        if entry_id == 0 and self._follows_mark(ledger_id):
            self._mark_ledger, self._mark_entry = ledger_id, 0
            if self.acked_behind:
                self._absorb()
            return True
        bitmap = self._bitmaps.get(ledger_id)
        if bitmap is None:
            bitmap = self._bitmaps[ledger_id] = AckBitmap()
        if not bitmap.add(entry_id):
            return False
        self.acked_behind += 1
        return True

    def ack_batch(self, position: Position, ack_set: Sequence[int], batch_size: int = 0) -> bool:
        """Acknowledge the batch indexes whose bit in `ack_set` is clear.

        Args:
            ack_set: words of a bit set; a set bit is an index that this ack leaves alone.
            batch_size: the entry's number of messages, if known; bits beyond it are ignored.

        Returns:
            True if this changed anything. There is room for `MOST_BATCH_BYTES` of such entries;
            what goes beyond is not taken, and the whole entry is delivered again if it comes to it.
        """
        ledger_id, entry_id = position
        if not 0 <= entry_id < self._order.entries.get(ledger_id, 0) or self.is_acked(position):
            return False
        before = self._batches.get(ledger_id, {}).get(entry_id)
        left = bits_of_words(ack_set)
        if 0 < batch_size < left.bit_length():
            left &= (1 << batch_size) - 1
        if before is not None:
            left &= before
        if not left:
            return self.ack(position)
        if left == before:
            return False
        grown = self.batch_bytes + _size_bytes(left) - _size_bytes(before or 0)
        if grown > MOST_BATCH_BYTES:
            return False
        self.batch_bytes = grown
        self._batches.setdefault(ledger_id, {})[entry_id] = left
        return True

    def ack_set_of(self, position: Position) -> tuple[int, ...] | None:
        """What is left of an entry that is acknowledged in part; None for a whole entry."""
        left = self._batches.get(position[0], {}).get(position[1]) if self._batches else None
        return None if left is None else words_of_bits(left)

    def ack_through(self, position: Position) -> bool:
        """Acknowledge all up to and including `position`; False if that changed nothing."""
        if position <= (self._mark_ledger, self._mark_entry):
            return False
        if position[1] >= self._order.entries.get(position[0], -1):
            return False
        if self._bitmaps:
            self._forget_bitmaps(position)
        if self._batches:
            self._forget_batches(position)
        self._mark_ledger, self._mark_entry = position
        if self._bitmaps:
            self._absorb()
        return True

    def first_unacked(self) -> Position:
        """The first entry behind mark-delete, existing or to come."""
        return self.next_unacked(Position(self._mark_ledger, self._mark_entry + 1))

    def next_unacked(self, position: Position) -> Position:
        """The first entry at or after `position` that is not acknowledged, existing or to come."""
        if position <= (self._mark_ledger, self._mark_entry):
            position = Position(self._mark_ledger, self._mark_entry + 1)
        while True:
            ledger_id, entry_id = position
            bitmap = self._bitmaps.get(ledger_id)
            if bitmap is not None:
                entry_id = bitmap.run_end(max(entry_id, 0))
            follower = None
            if self._order.is_ended(Position(ledger_id, entry_id - 1)):
                follower = self._order.next_ledger(ledger_id)
            if follower is None:
                return Position(ledger_id, entry_id)
            position = Position(follower, 0)

    # Snapshots

    def range_count(self) -> int:
        """How many ranges `ranges` would give."""
        return sum(
            bitmap.range_count(self._first_of(ledger_id))
            for ledger_id, bitmap in self._bitmaps.items()
        )

    def has_more_ranges_than(self, count: int) -> bool:
        """Whether `range_count` is above `count`, found out without counting many more."""
        for ledger_id, bitmap in self._bitmaps.items():
            count -= bitmap.range_count(self._first_of(ledger_id))
            if count < 0:
                return True
        return False

    @property
    def batch_count(self) -> int:
        """Entries that are acknowledged in part."""
        return sum(map(len, self._batches.values()))

    def ranges(self) -> Iterator[Range]:
        """The acknowledged ranges behind mark-delete, each within one ledger, in order."""
        for ledger_id in sorted(self._bitmaps):
            for first, end in self._bitmaps[ledger_id].ranges(self._first_of(ledger_id)):
                yield Position(ledger_id, first - 1), Position(ledger_id, end - 1)

    def bitmaps(self) -> Iterator[tuple[int, bytes]]:
        """What is acknowledged behind mark-delete as a little-endian bit set per ledger.

        Acks may come in while this is walked: those from before are then given, or are already
        taken into mark-delete.
        """
        for ledger_id in sorted(self._bitmaps):
            bitmap = self._bitmaps.get(ledger_id)
            data = bitmap.to_bytes(self._first_of(ledger_id)) if bitmap is not None else b""
            if data:
                yield ledger_id, data

    def batches(self) -> Iterator[tuple[Position, tuple[int, ...]]]:
        """Entries that are acknowledged in part and what is left of each, in order.

        Acks may come in while this is walked.
        """
        for ledger_id in sorted(self._batches):
            entries = self._batches.get(ledger_id, {})
            for entry_id in sorted(entries):
                left = entries.get(entry_id)
                if left is not None:
                    yield Position(ledger_id, entry_id), words_of_bits(left)

    def restore(
        self,
        ranges: Iterable[Range] = (),
        bitmaps: Iterable[tuple[int, bytes]] = (),
        batches: Iterable[tuple[Position, Sequence[int]]] = (),
    ) -> None:
        """Take over a snapshot; what it says of entries that do not exist is left out."""
        for lower, upper in ranges:
            self.put_range(lower, upper)
        for ledger_id, data in bitmaps:
            self.put_bitmap(ledger_id, data)
        self.put_done()
        for position, words in batches:
            self.ack_batch(position, words)

    def put_range(self, lower: Position, upper: Position) -> None:
        """One range of a snapshot; nothing may be asked before `put_done`."""
        first = lower.entry_id + 1
        order = self._order.entries
        ids = (lower.ledger_id,) if lower.ledger_id == upper.ledger_id else order
        for ledger_id in ids:
            entries = order.get(ledger_id, 0)
            if entries and lower.ledger_id <= ledger_id <= upper.ledger_id:
                start = first if ledger_id == lower.ledger_id else 0
                end = upper.entry_id + 1 if ledger_id == upper.ledger_id else entries
                self._bitmap(ledger_id).add_range(max(start, 0), min(end, entries))

    def put_bitmap(self, ledger_id: int, data: bytes, first: int = 0) -> None:
        """A ledger's bit set of a snapshot, or part of it; nothing may be asked before `put_done`.

        Args:
            first: the entry of the first bit, at the start of a chunk (`CHUNK_ENTRIES`).
        """
        if ledger_id in self._order.entries:
            self._bitmap(ledger_id).merge_bytes(data, first)

    def put_done(self) -> None:
        """All of a snapshot but the batches is in."""
        self._drop_missing()
        self.acked_behind = sum(
            bitmap.count(self._first_of(ledger_id), self._order.entries[ledger_id])
            for ledger_id, bitmap in self._bitmaps.items()
        )
        self._absorb()

    def clear(self, mark_delete: Position) -> None:
        """Forget everything; begin behind `mark_delete`."""
        self._mark_ledger, self._mark_entry = mark_delete
        self._bitmaps.clear()
        self._batches.clear()
        self.acked_behind = 0
        self.batch_bytes = 0

    # Inside

    def _follows_mark(self, ledger_id: int) -> bool:
        """True if nothing stands between mark-delete and this ledger's first entry."""
        return (
            self._order.is_ended(self.mark_delete)
            and self._order.next_ledger(self._mark_ledger) == ledger_id
        )

    def _absorb(self) -> None:
        """Take into mark-delete what is acknowledged directly behind it."""
        while self.acked_behind:
            bitmap = self._bitmaps.get(self._mark_ledger)
            if bitmap is not None:
                end = bitmap.run_end(self._mark_entry + 1)
                self.acked_behind -= end - 1 - self._mark_entry
                self._mark_entry = end - 1
                bitmap.forget_before(end)
            if not self._order.is_ended(self.mark_delete):
                break
            self._bitmaps.pop(self._mark_ledger, None)
            follower = self._order.next_ledger(self._mark_ledger)
            if (
                follower is None
                or follower not in self._bitmaps
                or 0 not in self._bitmaps[follower]
            ):
                break
            self._mark_ledger, self._mark_entry = follower, -1
        if not self.acked_behind:
            self._bitmaps.clear()  # only leftovers below mark-delete are in there

    def _first_of(self, ledger_id: int) -> int:
        """Where this ledger's bitmap counts from: bits below are left over."""
        return self._mark_entry + 1 if ledger_id == self._mark_ledger else 0

    def _bitmap(self, ledger_id: int) -> AckBitmap:
        return self._bitmaps.setdefault(ledger_id, AckBitmap())

    def _drop_batch(self, ledger_id: int, entry_id: int) -> None:
        entries = self._batches.get(ledger_id)
        if entries is None or (left := entries.pop(entry_id, None)) is None:
            return
        self.batch_bytes -= _size_bytes(left)
        if not entries:
            del self._batches[ledger_id]

    def _forget_bitmaps(self, position: Position) -> None:
        ledger_id, entry_id = position
        for old in [each for each in self._bitmaps if each <= ledger_id]:
            bitmap = self._bitmaps[old]
            # All of an older one, also when the topic has that ledger no more.
            end = entry_id + 1 if old == ledger_id else bitmap.last() + 1
            self.acked_behind -= bitmap.count(self._first_of(old), end)
            if old < ledger_id:
                del self._bitmaps[old]
            else:
                bitmap.forget_before(end)

    def _forget_batches(self, position: Position) -> None:
        ledger_id, entry_id = position
        for old in [each for each in self._batches if each < ledger_id]:
            self.batch_bytes -= sum(map(_size_bytes, self._batches.pop(old).values()))
        for passed in [each for each in self._batches.get(ledger_id, ()) if each <= entry_id]:
            self._drop_batch(ledger_id, passed)

    def _drop_missing(self) -> None:
        """Leave out ledgers before mark-delete and bits beyond a ledger's end."""
        for ledger_id in list(self._bitmaps):
            first, entries = self._first_of(ledger_id), self._order.entries[ledger_id]
            bitmap = self._bitmaps[ledger_id]
            if ledger_id < self._mark_ledger or not bitmap.count(first, entries):
                del self._bitmaps[ledger_id]
            else:
                bitmap.forget_from(entries)


def _size_bytes(left: int) -> int:
    return (left.bit_length() + 7) // 8
