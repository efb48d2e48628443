"""How long entries of a topic took to be stored and how large they were, in plain cells.

A chunk of a connection costs a look at the clock, not an entry. As Pulsar's, the counts are those
of the last whole interval of the stats, each bucket without the smaller ones.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import Final

LATENCY_BOUNDS_US: Final = (500, 1000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 1_000_000)
SIZE_BOUNDS: Final = (128, 512, 1024, 2048, 4096, 16_384, 102_400, 1_048_576)
_LATENCY_CELLS: Final = len(LATENCY_BOUNDS_US) + 1
_LAST_SIZE: Final = len(SIZE_BOUNDS)
_SIZE_CELLS: Final = _LAST_SIZE + 1

Buckets = tuple[Sequence[int], int]
"""Counts by bounds and of what is above all, and the sum of the values."""

NOTHING_TIMED: Final[Buckets] = ((0,) * _LATENCY_CELLS, 0)
NOTHING_SIZED: Final[Buckets] = ((0,) * _SIZE_CELLS, 0)


class PublishCells:
    """One topic's.

    Attributes:
        latencies: Of the last interval, in microseconds.
        sizes: Of the same, in bytes.
    """

    __slots__ = (
        "_began",
        "_latency_cells",
        "_latency_us",
        "_size_bytes",
        "_size_cells",
        "latencies",
        "sizes",
    )

    def __init__(self) -> None:
        self.latencies = NOTHING_TIMED
        self.sizes = NOTHING_SIZED
        self._began: deque[int] = deque()  # by turns: how many entries, and when
        self._latency_cells = [0] * _LATENCY_CELLS
        self._latency_us = 0
        self._size_cells = [0] * _SIZE_CELLS
        self._size_bytes = 0

    def began(self, count: int, now_ns: int) -> None:
        """So many entries went to the ledger."""
        self._began += (count, now_ns)

    def ended(self, count: int, now_ns: int) -> None:
        """The oldest of them are stored."""
        began = self._began
        while count:
            number = began[0]
            took_us = (now_ns - began[1]) // 1000
            if number <= count:  # the whole chunk, as most often
                began.popleft()
                began.popleft()
            else:
                began[0] -= count
                number = count
            self._latency_cells[bisect_left(LATENCY_BOUNDS_US, took_us)] += number
            self._latency_us += took_us * number
            count -= number

    def failed(self, count: int) -> None:
        """The oldest of them are not stored: nothing is said of them."""
        began = self._began
        while count:
            number = min(began[0], count)
            began[0] -= number
            count -= number
            if not began[0]:
                began.popleft()
                began.popleft()

    def stored(self, sizes: Sequence[int], size_bytes: int) -> None:
        """Entries of these sizes, of so many bytes together, are stored."""
        cells, count = self._size_cells, len(sizes)
        self._size_bytes += size_bytes
        first = bisect_left(SIZE_BOUNDS, min(sizes) if count > 1 else size_bytes)
        # Most often all entries of a run are much of a size.
        if count == 1 or max(sizes) <= (SIZE_BOUNDS[first] if first < _LAST_SIZE else size_bytes):
            cells[first] += count
            return
        for size in sizes:
            cells[bisect_left(SIZE_BOUNDS, size)] += 1

    def roll(self) -> None:
        """An interval has ended."""
        self.latencies, self.sizes = NOTHING_TIMED, NOTHING_SIZED
        if any(self._latency_cells):
            self.latencies = (self._latency_cells, self._latency_us)
            self._latency_cells, self._latency_us = [0] * _LATENCY_CELLS, 0
        if any(self._size_cells):
            self.sizes = (self._size_cells, self._size_bytes)
            self._size_cells, self._size_bytes = [0] * _SIZE_CELLS, 0
