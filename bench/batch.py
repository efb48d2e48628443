"""Pre-encoded SEND frames of one size in one buffer, sent again and again with fresh ids.

The sequence id stands in the command, outside of the checksum. Ids start at 2^28, where their
varint is five bytes wide and stays so; a cycle is a power of 128 long, so from one cycle to the
next only the upper bytes change, and they are the same in all frames: one strided assignment.
"""

import os
import time
from typing import Final

from bench import wire

FIRST_SEQUENCE_ID: Final = 1 << 28
ID_WIDTH: Final = 5
SMALL_CYCLE: Final = 1 << 14
LARGE_CYCLE: Final = 1 << 7
SMALL_PAYLOAD_BYTES: Final = 512


class SendBatch:
    """A cycle of frames; `advance` gives all of them the ids of the next cycle.

    Attributes:
        buffer: The frames, back to back.
        frame_bytes: Size of each.
        cycle: How many there are.
    """

    def __init__(self, payload_bytes: int, producer_id: int = 0) -> None:
        self.cycle = SMALL_CYCLE if payload_bytes <= SMALL_PAYLOAD_BYTES else LARGE_CYCLE
        self._fixed_bytes = 2 if self.cycle == SMALL_CYCLE else 1
        self._next_id = FIRST_SEQUENCE_ID
        frames = [self._frame(payload_bytes, producer_id, number) for number in range(self.cycle)]
        self.frame_bytes = len(frames[0])
        self.buffer = bytearray(b"".join(frames))
        assert len(self.buffer) == self.cycle * self.frame_bytes, "frames differ in size"
        self._id_offset = frames[0].index(wire.varint(FIRST_SEQUENCE_ID))

    def advance(self) -> None:
        """Moves on to the ids of the next cycle; only once all bytes of this one are sent."""
        self._next_id += self.cycle
        digits = wire.varint(self._next_id)
        assert len(digits) == ID_WIDTH
        for index in range(self._fixed_bytes, ID_WIDTH):
            column = slice(self._id_offset + index, None, self.frame_bytes)
            self.buffer[column] = digits[index : index + 1] * self.cycle

    @staticmethod
    def _frame(payload_bytes: int, producer_id: int, number: int) -> bytes:
        sequence_id = FIRST_SEQUENCE_ID + number
        published_ms = int(time.time() * 1000)
        metadata = wire.message([(1, b"magnetar-bench"), (2, sequence_id), (3, published_ms)])
        fields: wire.Fields = [(1, producer_id), (2, sequence_id), (3, 1)]
        return wire.payload_command(wire.SEND, fields, metadata, os.urandom(payload_bytes))
