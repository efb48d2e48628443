"""A buffer that a socket fills, out of which frames are cut.

It lends itself to an `asyncio.BufferedProtocol`. What a frame looks like is said by a subclass.
"""

from mmap import mmap
from typing import Final, Generic, TypeVar

from magnetar_proto.errors import FrameError

Item = TypeVar("Item")

_FIRST_BUFFER_BYTES: Final = 16 * 1024


class ReceiveBuffer(Generic[Item]):
    """Cuts frames out of a stream that arrives in chunks of any size.

    Nothing that it gives refers to its buffer. The buffer starts small and grows while chunks fill
    it; a frame that is larger than the largest buffer is received into a block of its own.

    Attributes:
        max_frame_bytes: the largest frame that is taken, its size field included. May be changed
            between chunks, for example from a small value before the handshake.
    """

    def __init__(self, max_frame_bytes: int, *, buffer_bytes: int = 256 * 1024) -> None:
        """Make an empty buffer.

        Args:
            max_frame_bytes: see the class.
            buffer_bytes: how large the receive buffer may grow, a block of its own aside.
        """
        self.max_frame_bytes = max_frame_bytes
        self._buffer_bytes = buffer_bytes
        self._home = memoryview(bytearray(min(_FIRST_BUFFER_BYTES, buffer_bytes)))
        self._view = self._home
        self._start = 0
        self._end = 0

    def get_buffer(self, size_hint: int = -1) -> memoryview:
        """The part of the buffer to receive into; never empty, good until `buffer_updated`."""
        return self._view[self._end :]

    def buffer_updated(self, received_bytes: int) -> list[Item]:
        """Take what was received into the buffer; gives the frames that are complete now.

        Raises:
            FrameError: the stream is broken; frames from before the break stand in its `frames`.
        """
        self._end += received_bytes
        items: list[Item] = []
        try:
            self._start = self._cut(self._view, self._start, self._end, items)
            self._make_room()
        except FrameError as error:
            error.frames = items
            raise
        return items

    def feed(self, data: bytes) -> list[Item]:
        """Take `data` as if it had been received; for streams that do not lend a buffer."""
        items: list[Item] = []
        rest = memoryview(data)
        while rest:
            room = self.get_buffer()
            part = min(len(room), len(rest))
            room[:part] = rest[:part]
            rest = rest[part:]
            try:
                items += self.buffer_updated(part)
            except FrameError as error:
                error.frames = items + error.frames
                raise
        return items

    @property
    def pending_bytes(self) -> int:
        """Bytes of a frame that has begun and is not complete."""
        return self._end - self._start

    def _cut(self, view: memoryview, position: int, end: int, items: list[Item]) -> int:
        """Cut the complete frames between two places; gives the place behind them."""
        raise NotImplementedError

    def _frame_bytes(self, view: memoryview, position: int, end: int) -> int:
        """How long the frame is, at least, that begins at a place and is not complete."""
        raise NotImplementedError

    def _make_room(self) -> None:
        """Make sure that the frame that has begun fits, and that there is room to receive."""
        have = self._end - self._start
        if not have:
            if self._view is self._home and self._end == len(self._home):
                self._grow()
            self._view = self._home
            self._start = self._end = 0
            return
        need = self._frame_bytes(self._view, self._start, self._end)
        if self._start + max(need, have + 1) > len(self._view):
            self._move(need, have)

    def _move(self, need: int, have: int) -> None:
        """Bring what is left to the start of a buffer in which the frame fits."""
        left = self._view[self._start : self._end]
        if need > self._buffer_bytes:
            # Untouched pages take no memory: a peer cannot pin by announcing what it never sends.
            target = memoryview(mmap(-1, need))
        else:
            if self._end == len(self._home) or need > len(self._home):
                self._grow(need)
            target = self._home
        target[:have] = left  # may overlap: this moves, it does not just copy forward
        self._view = target
        self._start, self._end = 0, have

    def _grow(self, need: int = 0) -> None:
        size = min(max(4 * len(self._home), need), self._buffer_bytes)
        if size > len(self._home):
            self._home = memoryview(bytearray(size))
