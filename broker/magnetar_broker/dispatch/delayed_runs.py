"""Sorted runs of delayed entries as arrays: about ten bytes per entry instead of a hundred."""

from array import array
from collections.abc import Sequence
from typing import Final

from magnetar_ledger.position import Position

_KEY_BITS: Final = 64
_KEY_MASK: Final = (1 << _KEY_BITS) - 1


def key_of(deliver_at_ms: int, ledger_id: int, entry_id: int) -> int:
    """A row as one int that sorts by time, then position."""
    return (deliver_at_ms << _KEY_BITS | ledger_id) << _KEY_BITS | entry_id


def time_of(key: int) -> int:
    """When the row's entry is to be delivered."""
    return key >> 2 * _KEY_BITS


def position_of(key: int) -> Position:
    """Where the row's entry stands."""
    return Position(key >> _KEY_BITS & _KEY_MASK, key & _KEY_MASK)


class SortedRun:
    """Rows in order, taken from the front. Neither grows nor is sorted again."""

    __slots__ = ("_base_ms", "_entry_ids", "_ledger_ids", "_next", "_places", "_times")

    def __init__(self, keys: Sequence[int]) -> None:
        """
        Args:
            keys: at least one, in order; at most 65,536 ledgers in them.
        """
        times = [time_of(key) for key in keys]
        ledgers = [key >> _KEY_BITS & _KEY_MASK for key in keys]
        entry_ids = [key & _KEY_MASK for key in keys]
        table = sorted(set(ledgers))
        place = {ledger_id: number for number, ledger_id in enumerate(table)}
        self._base_ms = times[0]
        self._ledger_ids = table
        self._times = _narrow([time - times[0] for time in times])
        self._places = array("H", [place[each] for each in ledgers])
        self._entry_ids = _narrow(entry_ids)
        self._next = 0

    @property
    def next_ms(self) -> int:
        """The time of the first row that is left; there must be one."""
        return self._base_ms + self._times[self._next]

    @property
    def drained(self) -> bool:
        return self._next >= len(self._times)

    def pop(self) -> Position:
        """Take the first row that is left."""
        at, self._next = self._next, self._next + 1
        return Position(self._ledger_ids[self._places[at]], self._entry_ids[at])

    @property
    def size_bytes(self) -> int:
        """What the rows take in memory."""
        arrays = (self._times, self._places, self._entry_ids)
        return sum(each.itemsize * len(each) for each in arrays)


def _narrow(numbers: Sequence[int]) -> "array[int]":
    return array("I" if max(numbers) < 1 << 32 else "Q", numbers)
