"""Which entries of a ledger a bookie has, in BookKeeper's form.

    version 4 = 0 | number of groups 4 | zeros, 64 bytes in all
    { first start 8 | last start 8 | size 4 | period 4 }*

A sequence is a run of ids that follow on. A group is sequences of one size whose starts lie one
period apart, which is how entries lie on a bookie that has a part of each write set; the period of
a lone one is 0.
"""

from collections.abc import Iterable
from struct import Struct
from typing import Final

_HEADER = Struct(">ii56x")
_GROUP = Struct(">qqii")
HEADER_BYTES: Final = _HEADER.size
GROUP_BYTES: Final = _GROUP.size
_VERSION: Final = 0
_MOST: Final = (1 << 31) - 1


class AvailabilityEncoder:
    """Takes ids and gives the form; what it holds is not more than that."""

    def __init__(self) -> None:
        self._groups = bytearray()
        self._start = self._end = 0  # of the sequence that grows
        self._group: tuple[int, int, int, int] | None = None

    @property
    def size(self) -> int:
        """Bytes of the form if nothing else comes, at most."""
        return HEADER_BYTES + len(self._groups) + 2 * GROUP_BYTES

    def feed(self, entry_ids: Iterable[int]) -> None:
        """Take ids, ascending over all calls; one may come more than once."""
        start, end = self._start, self._end
        for entry_id in entry_ids:
            if entry_id < end:
                continue
            if entry_id != end or end - start == _MOST:
                self._end_sequence(start, end)
                start = entry_id
            end = entry_id + 1
        self._start, self._end = start, end

    def finish(self) -> bytes:
        """The form of all that was fed."""
        self._end_sequence(self._start, self._end)
        if self._group is not None:
            self._groups += _GROUP.pack(*self._group)
        count = len(self._groups) // GROUP_BYTES
        return _HEADER.pack(_VERSION, count) + bytes(self._groups)

    def _end_sequence(self, start: int, end: int) -> None:
        size = end - start
        if not size:
            return
        if self._group is not None:
            first, last, its_size, period = self._group
            distance = start - last
            if size == its_size and distance == (period or distance) and distance <= _MOST:
                self._group = (first, start, size, distance)
                return
            self._groups += _GROUP.pack(*self._group)
        self._group = (start, start, size, 0)
