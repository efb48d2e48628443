"""Buckets: many rows of a delayed index in one ledger, for the memory cap and for a restart.

A bucket is the rows that a subscription had in memory, in order of their times, cut into segments
of one ledger entry each. Its last entry is the directory: when each segment begins, and which
entries the bucket has, one bit each. So a bucket without its directory is not whole. Pure; the
bytes are in docs/formats.md.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from struct import Struct
from typing import Final, Self

from magnetar_ledger.position import Position

from magnetar_broker.dispatch.delayed_runs import (
    MalformedIndexError,
    SortedRun,
    position_of,
    time_of,
)
from magnetar_broker.dispatch.waiting_entries import WaitingEntries

_DIRECTORY_FORMAT: Final = 0xD1
_HEAD: Final = Struct("<BxxxII")
_SEGMENT: Final = Struct("<QI")
_BITMAP: Final = Struct("<QI")
_STEP_ROWS: Final = 256
LOADED_SEGMENTS: Final = 2
"""So many of a bucket are in memory: while one is taken from, the next is read."""
_MAX_BITMAP_BYTES: Final = 1 << 28


@dataclass(slots=True)
class Directory:
    """What a bucket has.

    Attributes:
        segments: The time of the first row of each, and how many rows it has.
        entries: A bit set per ledger.
    """

    segments: list[tuple[int, int]] = field(default_factory=list)
    entries: list[tuple[int, bytes]] = field(default_factory=list)

    def encode(self) -> bytes:
        parts = [_HEAD.pack(_DIRECTORY_FORMAT, len(self.segments), len(self.entries))]
        parts += [_SEGMENT.pack(first_ms, rows) for first_ms, rows in self.segments]
        for ledger_id, bits in self.entries:
            packed = zlib.compress(bits, 1)
            parts += [_BITMAP.pack(ledger_id, len(packed)), packed]
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The inverse of `encode`.

        Raises:
            MalformedIndexError: also if it is a segment: the bucket was not finished.
        """
        found = cls()
        try:
            kind, segments, ledgers = _HEAD.unpack_from(data)
            if kind != _DIRECTORY_FORMAT:
                raise MalformedIndexError(f"no directory of a format that is known here: {kind}")
            at = _HEAD.size
            for _ in range(segments):
                found.segments.append(_SEGMENT.unpack_from(data, at))
                at += _SEGMENT.size
            for _ in range(ledgers):
                ledger_id, length = _BITMAP.unpack_from(data, at)
                at += _BITMAP.size
                found.entries.append((ledger_id, _unpacked(data[at : at + length])))
                at += length
        except Exception as error:
            if isinstance(error, MalformedIndexError):
                raise
            raise MalformedIndexError(f"the directory of a bucket: {error}") from error
        return found


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    bits = unpacker.decompress(data, _MAX_BITMAP_BYTES)
    if not unpacker.eof:
        raise MalformedIndexError("a bit set is cut off, or too long")
    return bits


class BucketMaker:
    """Makes a bucket of sorted runs, step by step: each takes less than a millisecond."""

    def __init__(self, runs: Sequence[SortedRun], segment_rows: int) -> None:
        self._keys: Iterator[int] = merge(*(run.remaining() for run in runs))
        self._segment_rows = segment_rows
        self._waiting = WaitingEntries()
        self._directory = Directory()
        self._rows: list[int] = []
        self.entries: list[bytes] = []

    def step(self) -> bool:
        """Do some of it; False when all is in `entries`."""
        room = self._segment_rows - len(self._rows)
        rows = list(islice(self._keys, min(_STEP_ROWS, room)))
        add = self._waiting.add
        for key in rows:
            add(*position_of(key))
        self._rows += rows
        if self._rows and (not rows or len(self._rows) == self._segment_rows):
            self._end_segment()
        if rows:
            return True
        self._directory.entries = list(self._waiting.bitmaps())
        self.entries.append(self._directory.encode())
        return False

    def _end_segment(self) -> None:
        rows, self._rows = self._rows, []
        self.entries.append(SortedRun(rows).encode())
        self._directory.segments.append((time_of(rows[0]), len(rows)))

    @property
    def directory(self) -> Directory:
        """Whole when `step` has said False."""
        return self._directory


class StoredBucket:
    """A bucket in its ledger, of which two segments at most are in memory.

    Attributes:
        ledger_id: Where it is.
        segment: The number of the one that is to be loaded next.
        loading: That one is being read.
        size_bytes: What it takes in memory.
    """

    __slots__ = ("_runs", "_segments", "ledger_id", "loading", "segment", "size_bytes")

    def __init__(self, ledger_id: int, directory: Directory) -> None:
        self.ledger_id = ledger_id
        self.segment = 0
        self.loading = False
        self.size_bytes = 0
        self._segments = directory.segments
        self._runs: list[SortedRun] = []

    @property
    def drained(self) -> bool:
        """All rows were taken."""
        return not self._runs and self.segment >= len(self._segments)

    @property
    def needs_segment(self) -> bool:
        """The next row is not in memory."""
        return not self._runs and not self.drained

    def wants_segment(self, until_ms: int) -> bool:
        """Whether one should be read now: rows of it are due by then, and there is room."""
        if self.loading or self.segment >= len(self._segments):
            return False
        return len(self._runs) < LOADED_SEGMENTS and self._segments[self.segment][0] <= until_ms

    @property
    def next_ms(self) -> int:
        """The time of the next row; there must be one."""
        return self._runs[0].next_ms if self._runs else self._segments[self.segment][0]

    def loaded(self, run: SortedRun) -> None:
        """The segment is there."""
        self._runs.append(run)
        self.segment += 1
        self.size_bytes += run.size_bytes
        self.loading = False

    def pop(self) -> Position:
        """Take the next row; its segment must be there."""
        run = self._runs[0]
        position = run.pop()
        if run.drained:
            del self._runs[0]
            self.size_bytes -= run.size_bytes
        return position
