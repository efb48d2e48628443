"""Sorted runs of delayed entries as arrays: about ten bytes per entry instead of a hundred.

`encode` and `decode` give a run as bytes; see docs/formats.md.
"""

import sys
from array import array
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final, Self

from magnetar_ledger.position import Position

_KEY_BITS: Final = 64
_KEY_MASK: Final = (1 << _KEY_BITS) - 1
_HEAD: Final = Struct("<BBxxIIQ")
_NARROW_TIMES: Final = 1
_NARROW_ENTRIES: Final = 2
RUN_FORMAT: Final = 1


class MalformedIndexError(Exception):
    """Bytes that are no part of a delayed index. Never leaves this package."""


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
    """Rows in order, taken from the front. Neither grows nor is sorted again.

    Attributes:
        size_bytes: What the rows take in memory, the taken ones too.
    """

    __slots__ = (
        "_base_ms",
        "_entry_ids",
        "_ledger_ids",
        "_next",
        "_places",
        "_times",
        "size_bytes",
    )

    _base_ms: int
    _ledger_ids: Sequence[int]
    _times: "array[int]"
    _places: "array[int]"
    _entry_ids: "array[int]"
    _next: int

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
        self._begin()

    def _begin(self) -> None:
        self._next = 0
        columns = (self._times, self._places, self._entry_ids)
        self.size_bytes = sum(each.itemsize * len(each) for each in columns)

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

    def __len__(self) -> int:
        """How many rows are left."""
        return len(self._times) - self._next

    def remaining(self) -> Iterator[int]:
        """The rows that are left, in order."""
        rows = zip(self._times, self._places, self._entry_ids, strict=True)
        for number, (time, place, entry_id) in enumerate(rows):
            if number >= self._next:
                yield key_of(self._base_ms + time, self._ledger_ids[place], entry_id)

    def encode(self) -> bytes:
        """All rows, the taken ones too."""
        widths = (self._times.typecode == "I") * _NARROW_TIMES
        widths |= (self._entry_ids.typecode == "I") * _NARROW_ENTRIES
        head = _HEAD.pack(
            RUN_FORMAT, widths, len(self._times), len(self._ledger_ids), self._base_ms
        )
        columns = (array("Q", self._ledger_ids), self._times, self._places, self._entry_ids)
        return head + b"".join(_little(column).tobytes() for column in columns)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The inverse of `encode`.

        Raises:
            MalformedIndexError
        """
        if len(data) < _HEAD.size:
            raise MalformedIndexError("a run ends within its head")
        run_format, widths, rows, ledgers, base_ms = _HEAD.unpack_from(data)
        if run_format != RUN_FORMAT:
            raise MalformedIndexError(f"run format {run_format} is not known here")
        wide_times = "I" if widths & _NARROW_TIMES else "Q"
        wide_entries = "I" if widths & _NARROW_ENTRIES else "Q"
        columns = _Columns(data, _HEAD.size)
        run = cls.__new__(cls)
        run._base_ms = base_ms
        run._ledger_ids = columns.take("Q", ledgers)
        run._times = columns.take(wide_times, rows)
        run._places = columns.take("H", rows)
        run._entry_ids = columns.take(wide_entries, rows)
        run._begin()
        if not rows or max(run._places) >= ledgers:
            raise MalformedIndexError("a run has no rows, or rows of no ledger")
        return run


def _narrow(numbers: Sequence[int]) -> "array[int]":
    return array("I" if max(numbers) < 1 << 32 else "Q", numbers)


class _Columns:
    """Takes arrays from bytes, one behind the other."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = memoryview(data)
        self._offset = offset

    def take(self, typecode: str, count: int) -> "array[int]":
        column = array(typecode)
        end = self._offset + count * column.itemsize
        if end > len(self._data):
            raise MalformedIndexError("a run ends within its rows")
        column.frombytes(self._data[self._offset : end])
        self._offset = end
        return _little(column)


def _little(column: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        column = array(column.typecode, column)
        column.byteswap()
    return column
