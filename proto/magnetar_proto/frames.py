"""Frames of the Pulsar protocol: cut out of what a socket gives, and made for what it takes.

    u32 total size | u32 command size | command | payload, if the command has one

Sizes count what stands behind them. No IO happens here: a `FrameSplitter` lends its buffer to an
`asyncio.BufferedProtocol` and gives frames.
"""

from mmap import mmap
from struct import Struct
from typing import Any, Final

from google.protobuf.message import DecodeError, Message

from magnetar_proto.commands import (
    ENVELOPE_BYTES,
    NOT_SHORT,
    PAYLOAD_KINDS,
    SHORT_ENVELOPES,
    parse_command,
    serialize_command,
)
from magnetar_proto.errors import CommandError, FrameError, FrameSizeError
from magnetar_proto.payloads import (
    BrokerEntry,
    add_broker_entry,
    check_payload,
    count_or_delay,
    message_count,
    parse_metadata,
    split_broker_entry,
)

__all__ = [
    "SIZE_BYTES",
    "BrokerEntry",
    "Frame",
    "FrameSplitter",
    "add_broker_entry",
    "check_payload",
    "count_or_delay",
    "encode_command",
    "encode_payload_command",
    "message_count",
    "parse_metadata",
    "split_broker_entry",
]

Frame = tuple[int, Any, bytes | None]
"""The command's type (`BaseCommand.Type`), its message (for example `CommandSend`), and everything
behind the command as one `bytes`, or None."""

SIZE_BYTES: Final = 4
_SIZES_BYTES: Final = 8
_HEAD_BYTES: Final = _SIZES_BYTES + ENVELOPE_BYTES  # no frame is smaller
_unpack_total: Final = Struct(">I").unpack_from
_unpack_sizes: Final = Struct(">II").unpack_from
_unpack_head: Final = Struct(">III").unpack_from
_pack_sizes: Final = Struct(">II").pack

# Slices of a `bytes` cost a third of slices of a memoryview. So small frames are cut out of a
# `bytes` window of the buffer; above a few KB a second copy costs more than that saves.
_WINDOW_BYTES: Final = 16 * 1024
_SMALL_FRAME_BYTES: Final = 4 * 1024
_FIRST_BUFFER_BYTES: Final = 16 * 1024


class FrameSplitter:
    """Cuts frames out of a stream that arrives in chunks of any size.

    Nothing that it gives refers to its buffer. The buffer starts small and grows while chunks fill
    it; a frame that is larger than the largest buffer is received into a block of its own.

    Attributes:
        max_frame_bytes: the largest frame that is taken, its size field included. May be changed
            between chunks, for example from a small value before the handshake.
    """

    def __init__(self, max_frame_bytes: int, *, buffer_bytes: int = 256 * 1024) -> None:
        """Make a splitter with an empty buffer.

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

    def buffer_updated(self, received_bytes: int) -> list[Frame]:
        """Take what was received into the buffer; gives the frames that are complete now.

        Raises:
            FrameError: the stream is broken; frames from before the break stand in its `frames`.
        """
        self._end += received_bytes
        frames: list[Frame] = []
        try:
            self._cut(frames)
            self._make_room()
        except FrameError as error:
            error.frames = frames
            raise
        return frames

    def feed(self, data: bytes) -> list[Frame]:
        """Take `data` as if it had been received; for streams that do not lend a buffer."""
        frames: list[Frame] = []
        rest = memoryview(data)
        while rest:
            room = self.get_buffer()
            part = min(len(room), len(rest))
            room[:part] = rest[:part]
            rest = rest[part:]
            try:
                frames += self.buffer_updated(part)
            except FrameError as error:
                error.frames = frames + error.frames
                raise
        return frames

    @property
    def pending_bytes(self) -> int:
        """Bytes of a frame that has begun and is not complete."""
        return self._end - self._start

    def _cut(self, frames: list[Frame]) -> None:
        view, position, end = self._view, self._start, self._end
        limit = self.max_frame_bytes - SIZE_BYTES
        while end - position >= _HEAD_BYTES:
            (total,) = _unpack_total(view, position)
            if total < _SMALL_FRAME_BYTES:
                window = bytes(view[position : min(end, position + _WINDOW_BYTES)])
                used = _cut_window(window, limit, frames)
            else:
                used = _cut_large(view[position:end], limit, frames)
            if not used:
                break
            position += used
        self._start = position

    def _make_room(self) -> None:
        """Make sure that the frame that has begun fits, and that there is room to receive."""
        have = self._end - self._start
        if not have:
            if self._view is self._home and self._end == len(self._home):
                self._grow()
            self._view = self._home
            self._start = self._end = 0
            return
        need = _HEAD_BYTES
        if have >= _SIZES_BYTES:
            need = SIZE_BYTES + _checked_total(
                self._view, self._start, self.max_frame_bytes - SIZE_BYTES
            )
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


def _checked_total(view: memoryview, position: int, limit: int) -> int:
    total, command_size = _unpack_sizes(view, position)
    if total > limit or command_size > total - SIZE_BYTES or command_size < ENVELOPE_BYTES:
        raise _size_error(total, command_size, limit)
    return int(total)


def _size_error(total: int, command_size: int, limit: int) -> FrameSizeError:
    if total > limit:
        return FrameSizeError(f"frame of {total} bytes, the limit is {limit}")
    return FrameSizeError(f"command of {command_size} bytes in a frame of {total}")


def _cut_window(window: bytes, limit: int, frames: list[Frame]) -> int:
    """Cut all complete frames; gives the bytes that they take. The hottest loop of a broker."""
    position = 0
    end = len(window)
    last = end - _HEAD_BYTES
    try:
        while position <= last:
            total, command_size, head = _unpack_head(window, position)
            if total > limit or command_size > total - 4 or command_size < 4:
                raise _size_error(total, command_size, limit)
            frame_end = position + 4 + total
            if frame_end > end:
                break
            body = position + 8 + command_size
            kind, parse, size = SHORT_ENVELOPES.get(head, NOT_SHORT)
            if size == command_size:
                message = parse(window[position + 12 : body])
                if not message.IsInitialized():
                    raise CommandError(f"command of type {kind} without a required field")
            else:
                kind, message = parse_command(window[position + 8 : body])
            payload = window[body:frame_end] if body < frame_end else _no_payload(kind)
            frames.append((kind, message, payload))
            position = frame_end
    except DecodeError as error:
        raise CommandError(f"unreadable command: {error}") from error
    return position


def _cut_large(view: memoryview, limit: int, frames: list[Frame]) -> int:
    """Cut one frame, if it is complete, with one copy of its payload."""
    frame_end = SIZE_BYTES + _checked_total(view, 0, limit)
    if frame_end > len(view):
        return 0
    body = _SIZES_BYTES + int(_unpack_sizes(view, 0)[1])
    kind, message = parse_command(bytes(view[_SIZES_BYTES:body]))
    payload = bytes(view[body:frame_end]) if body < frame_end else _no_payload(kind)
    frames.append((kind, message, payload))
    return frame_end


def _no_payload(kind: int) -> bytes | None:
    if kind in PAYLOAD_KINDS:
        raise CommandError(f"command of type {kind} without a payload")
    return None


def encode_command(command: Message) -> bytes:
    """A whole frame for a command without payload.

    Args:
        command: the message of a command, for example a `CommandSuccess`, or a `BaseCommand`.
    """
    data = serialize_command(command)
    return _pack_sizes(SIZE_BYTES + len(data), len(data)) + data


def encode_payload_command(command: Message, payload: bytes) -> bytes:
    """What stands in front of `payload` in its frame; the payload follows as it is.

    Args:
        command: a `CommandSend` or `CommandMessage`, or a `BaseCommand`.
    """
    data = serialize_command(command)
    return _pack_sizes(SIZE_BYTES + len(data) + len(payload), len(data)) + data
