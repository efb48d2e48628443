"""Frames of the Pulsar protocol: cut out of what a socket gives, and made for what it takes.

    u32 total size | u32 command size | command | payload, if the command has one

Sizes count what stands behind them. No IO happens here: a `FrameSplitter` lends its buffer to an
`asyncio.BufferedProtocol` and gives frames.
"""

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
from magnetar_proto.errors import CommandError, FrameSizeError
from magnetar_proto.payloads import (
    BrokerEntry,
    add_broker_entry,
    check_payload,
    count_or_delay,
    message_count,
    parse_metadata,
    split_broker_entry,
)
from magnetar_proto.receive_buffer import ReceiveBuffer

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


class FrameSplitter(ReceiveBuffer[Frame]):
    """Cuts frames out of a stream that arrives in chunks of any size."""

    def _cut(self, view: memoryview, position: int, end: int, items: list[Frame]) -> int:
        limit = self.max_frame_bytes - SIZE_BYTES
        while end - position >= _HEAD_BYTES:
            (total,) = _unpack_total(view, position)
            if total < _SMALL_FRAME_BYTES:
                window = bytes(view[position : min(end, position + _WINDOW_BYTES)])
                used = _cut_window(window, limit, items)
            else:
                used = _cut_large(view[position:end], limit, items)
            if not used:
                break
            position += used
        return position

    def _frame_bytes(self, view: memoryview, position: int, end: int) -> int:
        if end - position < _SIZES_BYTES:
            return _HEAD_BYTES
        return SIZE_BYTES + _checked_total(view, position, self.max_frame_bytes - SIZE_BYTES)


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
