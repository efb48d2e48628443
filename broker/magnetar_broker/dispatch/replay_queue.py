"""Entries that must be sent again, smallest position first."""

from collections.abc import Iterator
from heapq import heappop, heappush

from magnetar_ledger.position import Position


class ReplayQueue:
    """A sorted set of positions. One int per entry: ledger id above, entry id in the low bits."""

    __slots__ = ("_heap", "_members")

    _ENTRY_BITS = 63
    _ENTRY_MASK = (1 << _ENTRY_BITS) - 1

    def __init__(self) -> None:
        self._heap: list[int] = []
        self._members: set[int] = set()

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, position: object) -> bool:
        assert isinstance(position, tuple)
        return self._key(position[0], position[1]) in self._members

    def add(self, ledger_id: int, entry_id: int) -> None:
        """Once, however often it is added."""
        key = self._key(ledger_id, entry_id)
        if key not in self._members:
            self._members.add(key)
            heappush(self._heap, key)

    def discard(self, ledger_id: int, entry_id: int) -> None:
        """It was acked after all. Its place in the heap is cleaned up when it comes to the top."""
        self._members.discard(self._key(ledger_id, entry_id))
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._members):
            self._heap = sorted(self._members)

    def first_run(self, max_entries: int) -> tuple[Position, int] | None:
        """The smallest position and how many follow it without a gap, itself included."""
        heap, members = self._heap, self._members
        while heap and heap[0] not in members:
            heappop(heap)
        if not heap:
            return None
        first = heap[0]
        count = 1
        while count < max_entries and first + count in members:
            count += 1
        return self._position(first), count

    def __iter__(self) -> Iterator[Position]:
        """In no order."""
        return map(self._position, self._members)

    def clear(self) -> None:
        self._heap.clear()
        self._members.clear()

    def _position(self, key: int) -> Position:
        return Position(key >> self._ENTRY_BITS, key & self._ENTRY_MASK)

    def _key(self, ledger_id: int, entry_id: int) -> int:
        return (ledger_id << self._ENTRY_BITS) | entry_id
