"""Two protocols of one loop joined without a socket: what one writes the other receives.

It keeps asyncio's promises to buffered protocols: bytes arrive in a later turn, in order;
`pause_reading` holds what comes, and what piles up then pauses the writer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from magnetar_runtime.bugs import report_bug

_HIGH_BYTES: Final = 64 * 1024
_MOST_HIGH_BYTES: Final = 256 * 1024
"""However much a side would let pile up: nothing is won by more where no network is between."""
_TURN_BYTES: Final = 256 * 1024
"""What one side gets in a turn of the loop; others have their turn before the rest."""

Buffer = bytes | bytearray | memoryview


def join_by_pipe(
    loop: asyncio.AbstractEventLoop,
    first: asyncio.BufferedProtocol,
    second: asyncio.BufferedProtocol,
    *,
    peername: tuple[str, int] | None = None,
) -> None:
    """Connect them; each is told by `connection_made` before this returns.

    Args:
        peername: what the first sees as the address of the other side.

    Both can ask their transport for `in_process`: their peer lives and dies with them.
    """
    left = PipeTransport(loop, first, {"peername": peername, "in_process": True})
    right = PipeTransport(loop, second, {"in_process": True})
    left.other, right.other = right, left
    first.connection_made(left)
    second.connection_made(right)


class PipeTransport(asyncio.Transport):
    """One end of a pipe. Made by `join_by_pipe`."""

    other: PipeTransport

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.BufferedProtocol,
        extra: dict[str, Any],
    ) -> None:
        super().__init__(extra)
        self._loop = loop
        self._protocol = protocol
        self._queue: deque[memoryview] = deque()  # written here, not yet taken by the other side
        self._queued_bytes = 0
        self._high_bytes = _HIGH_BYTES
        self._low_bytes = _HIGH_BYTES // 4
        self._writing_paused = False
        self._reading = True
        self._closing = False
        self._lost = False
        self._scheduled = False

    # Writing.

    def write(self, data: Buffer) -> None:
        if self._closing or self.other._closing or not data:
            return  # as with a socket whose peer is gone: nobody will read it
        self._queue.append(memoryview(bytes(data)))
        self._queued_bytes += len(data)
        self._schedule()
        if self._queued_bytes > self._high_bytes and not self._writing_paused:
            self._writing_paused = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[Buffer]) -> None:
        self.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        return self._queued_bytes

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high_bytes = _HIGH_BYTES if high is None else min(high, _MOST_HIGH_BYTES)
        self._low_bytes = self._high_bytes // 4 if low is None else low

    def can_write_eof(self) -> bool:
        return False

    # Reading.

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self.other._schedule()

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    # The way to the other side.

    def _schedule(self) -> None:
        if not self._scheduled and not self._lost:
            self._scheduled = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        if self._lost:
            return
        room = _TURN_BYTES
        while self._queue and room > 0 and self.other.is_reading():
            room -= self._hand_over()
        if self._writing_paused and self._queued_bytes <= self._low_bytes and not self._lost:
            self._writing_paused = False
            self._protocol.resume_writing()
        if self._closing and (not self._queue or self.other._closing):
            self._end()
        elif self._queue and self.other.is_reading():
            self._schedule()

    def _hand_over(self) -> int:
        data = self._queue[0]
        receiver = self.other._protocol
        room = memoryview(receiver.get_buffer(-1))
        part = min(len(room), len(data))
        room[:part] = data[:part]
        if part == len(data):
            self._queue.popleft()
        else:
            self._queue[0] = data[part:]
        self._queued_bytes -= part
        try:
            receiver.buffer_updated(part)
        except Exception as error:  # noqa: BLE001 - as transports do
            report_bug("a protocol failed on what it received; its pipe ends", error)
            self.abort()
        return part

    # Ends.

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Receive no more; the other side still gets what was written."""
        if not self._closing:
            self._closing = True
            self._schedule()

    def abort(self) -> None:
        """End both sides; what was written is not delivered."""
        self._closing = True
        self._queue.clear()
        self._queued_bytes = 0
        self._schedule()

    def _end(self) -> None:
        """This side is closed and all is delivered: both hear that the connection is lost."""
        for side in (self, self.other):
            if not side._lost:
                side._closing = side._lost = True
                side._queue.clear()
                side._queued_bytes = 0
                self._loop.call_soon(side._protocol.connection_lost, None)
