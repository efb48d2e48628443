"""Which entries wait for their time: one bit each."""

from collections.abc import Iterator

from magnetar_ledger.managed.ack_bitmap import AckBitmap
from magnetar_ledger.position import Position


class WaitingEntries:
    """A set of positions, small where entries that follow on are in it.

    Attributes:
        count: How many are in it.
        size_bytes: What it takes in memory, about.
    """

    __slots__ = ("_bitmaps", "_counts", "count", "size_bytes")

    def __init__(self) -> None:
        self._bitmaps: dict[int, AckBitmap] = {}
        self._counts: dict[int, int] = {}
        self.count = 0
        self.size_bytes = 0

    def add(self, ledger_id: int, entry_id: int) -> bool:
        """Put an entry in; False if it was in already."""
        bitmap = self._bitmaps.get(ledger_id)
        if bitmap is None:
            bitmap = self._bitmaps[ledger_id] = AckBitmap()
            self._counts[ledger_id] = 0
        before = bitmap.size_bytes
        if not bitmap.add(entry_id):
            return False
        self.size_bytes += bitmap.size_bytes - before
        self._counts[ledger_id] += 1
        self.count += 1
        return True

    def discard(self, ledger_id: int, entry_id: int) -> bool:
        """Take an entry out; False if it was not in."""
        bitmap = self._bitmaps.get(ledger_id)
        if bitmap is None or not bitmap.discard(entry_id):
            return False
        self.count -= 1
        self._counts[ledger_id] -= 1
        if not self._counts[ledger_id]:
            self.size_bytes -= bitmap.size_bytes
            del self._bitmaps[ledger_id], self._counts[ledger_id]
        return True

    def contains(self, ledger_id: int, entry_id: int) -> bool:
        bitmap = self._bitmaps.get(ledger_id)
        return bitmap is not None and entry_id in bitmap

    def next_outside(self, position: Position) -> Position:
        """The first position at or after this one in its ledger that is not in the set."""
        bitmap = self._bitmaps.get(position.ledger_id)
        if bitmap is None:
            return position
        return Position(position.ledger_id, bitmap.run_end(position.entry_id))

    def bitmaps(self) -> Iterator[tuple[int, bytes]]:
        """A little-endian bit set per ledger, that begins at entry 0."""
        for ledger_id in sorted(self._bitmaps):
            yield ledger_id, self._bitmaps[ledger_id].to_bytes(0)

    def merge(self, ledger_id: int, data: bytes) -> None:
        """Put in what `bitmaps` gave."""
        bitmap = self._bitmaps.setdefault(ledger_id, AckBitmap())
        self.size_bytes -= bitmap.size_bytes
        bitmap.merge_bytes(data)
        self.size_bytes += bitmap.size_bytes
        before = self._counts.get(ledger_id, 0)
        after = self._counts[ledger_id] = bitmap.count(0, bitmap.last() + 1)
        self.count += after - before
        if not after:
            self.size_bytes -= bitmap.size_bytes
            del self._bitmaps[ledger_id], self._counts[ledger_id]

    def clear(self) -> None:
        self._bitmaps.clear()
        self._counts.clear()
        self.count = self.size_bytes = 0
