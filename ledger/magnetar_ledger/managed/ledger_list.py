"""The ledgers of one managed ledger as a pure value: their order, their lengths, and positions.

Every entry has an absolute index that stays the same while older ledgers are trimmed; counts
between two positions are differences of indexes.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Protocol

from magnetar_ledger.position import EARLIEST, Position

NO_LEDGER = -1


class LedgerOrder(Protocol):
    """What ack ranges must know of the ledgers around them."""

    @property
    def entries(self) -> Mapping[int, int]:
        """Confirmed entries by ledger id."""

    def is_ended(self, position: Position) -> bool:
        """True if no entry of this position's ledger will ever follow it."""

    def next_ledger(self, ledger_id: int) -> int | None:
        """The next ledger that has entries or is still being written."""

    def index_after(self, position: Position) -> int:
        """The absolute index of the first entry behind `position`."""

    @property
    def end_index(self) -> int:
        """The absolute index that the next entry will have."""


class LedgerList:
    """Ledger ids in order with the number of entries of each; only the last may be open."""

    __slots__ = ("_first_index", "current_id", "entries", "ids", "sizes")

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.entries: dict[int, int] = {}
        self.sizes: dict[int, int] = {}
        self.current_id = NO_LEDGER
        """The ledger that is being written, or `NO_LEDGER`."""
        self._first_index: dict[int, int] = {}

    def append_closed(self, ledger_id: int, entries: int, size: int) -> None:
        """Add a ledger that takes no more entries."""
        assert self.current_id == NO_LEDGER, "a closed ledger cannot follow the open one"
        self._append(ledger_id, entries, size)

    def append_open(self, ledger_id: int) -> None:
        """Add the ledger that is written from now on; the one before is closed by that."""
        self._append(ledger_id, 0, 0)
        self.current_id = ledger_id

    def _append(self, ledger_id: int, entries: int, size: int) -> None:
        assert not self.ids or ledger_id > self.ids[-1], "ledger ids grow"
        self._first_index[ledger_id] = self.end_index
        self.ids.append(ledger_id)
        self.entries[ledger_id] = entries
        self.sizes[ledger_id] = size

    def close_current(self) -> None:
        """The open ledger, if any, takes no more entries."""
        self.current_id = NO_LEDGER

    def grow(self, count: int, size: int) -> None:
        """Entries were confirmed in the open ledger."""
        ledger_id = self.current_id
        self.entries[ledger_id] += count
        self.sizes[ledger_id] += size

    def remove(self, ledger_ids: Iterable[int]) -> None:
        """Take ledgers out: trimmed ones from the front, empty ones from anywhere."""
        for ledger_id in ledger_ids:
            assert ledger_id != self.current_id, "the open ledger stays"
            empty_or_first = self.entries[ledger_id] == 0 or ledger_id == self.ids[0]
            assert empty_or_first, "entries go from the front"
            self.ids.remove(ledger_id)
            del self.entries[ledger_id], self.sizes[ledger_id], self._first_index[ledger_id]

    @property
    def end_index(self) -> int:
        """The absolute index that the next entry will have."""
        if not self.ids:
            return 0
        last = self.ids[-1]
        return self._first_index[last] + self.entries[last]

    @property
    def first_index(self) -> int:
        """The absolute index of the oldest entry."""
        return self._first_index[self.ids[0]] if self.ids else 0

    @property
    def entries_total(self) -> int:
        return self.end_index - self.first_index

    @property
    def size_total(self) -> int:
        return sum(self.sizes.values())

    @property
    def first_position(self) -> Position:
        """The place before the oldest entry."""
        return Position(self.ids[0], -1) if self.ids else EARLIEST

    def last_position(self) -> Position:
        """The last confirmed entry; (ledger, -1) with the newest ledger if there is none."""
        for ledger_id in reversed(self.ids):
            if self.entries[ledger_id]:
                return Position(ledger_id, self.entries[ledger_id] - 1)
        return Position(self.ids[-1], -1) if self.ids else EARLIEST

    def is_ended(self, position: Position) -> bool:
        ledger_id, entry_id = position
        count = self.entries.get(ledger_id)
        return count is None or (entry_id + 1 >= count and ledger_id != self.current_id)

    def next_ledger(self, ledger_id: int) -> int | None:
        for index in range(bisect_right(self.ids, ledger_id), len(self.ids)):
            candidate = self.ids[index]
            if self.entries[candidate] or candidate == self.current_id:
                return candidate
        return None

    def next_position(self, position: Position) -> Position:
        """The place behind `position`: the next entry, existing or to come."""
        if self.is_ended(position):
            follower = self.next_ledger(position.ledger_id)
            if follower is not None:
                return Position(follower, 0)
        return Position(position.ledger_id, position.entry_id + 1)

    def at_or_after(self, position: Position) -> Position:
        """`position` if entries at it exist or may come, else the first behind it that do."""
        ledger_id, entry_id = position
        return self.next_position(Position(ledger_id, max(entry_id, 0) - 1))

    def before(self, position: Position) -> Position:
        """The last entry before `position`, so that reading behind it begins at `position`.

        Beyond the end it is the last entry; before the beginning the place before the first.
        """
        index = self.index_after(Position(position.ledger_id, max(position.entry_id, 0) - 1))
        if index >= self.end_index:
            return self.last_position()
        if index <= self.first_index:
            return self.first_position
        return self.position_at(index - 1)

    def index_after(self, position: Position) -> int:
        ledger_id, entry_id = position
        count = self.entries.get(ledger_id)
        if count is not None:
            return self._first_index[ledger_id] + min(entry_id + 1, count)
        at = bisect_right(self.ids, ledger_id)
        return self._first_index[self.ids[at]] if at < len(self.ids) else self.end_index

    def position_at(self, index: int) -> Position:
        """The position of an existing entry by its absolute index."""
        assert self.first_index <= index < self.end_index, "no such entry"
        at = bisect_right(self.ids, index, key=self._first_index.__getitem__) - 1
        while not self.entries[self.ids[at]]:
            at -= 1  # empty ledgers share their first index with the ledger behind them
        ledger_id = self.ids[at]
        return Position(ledger_id, index - self._first_index[ledger_id])
