"""Counts frames in a byte stream without looking at each one.

Frames of one kind have the same size for long stretches, so whole stretches are checked at C
speed: if a frame of L bytes starts at p, and the four length bytes repeat at p + L, p + 2L, ...,
then (by induction) exactly those are frames of L bytes. Where the size changes, it starts anew.
"""

import struct
from dataclasses import dataclass
from typing import Final

LENGTH_BYTES: Final = 4


@dataclass(slots=True, frozen=True)
class Run:
    """`count` frames of `frame_bytes` each that follow each other from `start` on."""

    start: int
    frame_bytes: int
    count: int

    @property
    def last_start(self) -> int:
        """Where the last frame of the run begins."""
        return self.start + (self.count - 1) * self.frame_bytes


def scan(data: bytes | bytearray, end: int) -> tuple[list[Run], int]:
    """Splits data[:end] into runs of equal size; also returns where the incomplete rest begins."""
    runs: list[Run] = []
    at = 0
    while end - at >= LENGTH_BYTES:
        (size,) = struct.unpack_from(">I", data, at)
        frame_bytes = size + LENGTH_BYTES
        most = (end - at) // frame_bytes
        if most == 0:
            break
        count = _equal_frames(data, at, frame_bytes, most)
        runs.append(Run(at, frame_bytes, count))
        at += count * frame_bytes
    return runs, at


def _equal_frames(data: bytes | bytearray, at: int, frame_bytes: int, most: int) -> int:
    """How many frames of that size follow each other, at most `most`."""
    count = most
    for offset in range(LENGTH_BYTES):
        column = data[at + offset : at + count * frame_bytes : frame_bytes]
        expected = data[at + offset]
        if column.count(expected) != len(column):
            count = next(i for i, byte in enumerate(column) if byte != expected)
    return count
