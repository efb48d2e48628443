"""Frames of BookKeeper's protocol: cut out of what a socket gives, and made for what it takes.

    u32 size | packet

The size counts what stands behind it. The first byte of a packet tells its version.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final

from magnetar_proto.bookkeeper import wire_v2, wire_v3_requests, wire_v3_responses
from magnetar_proto.bookkeeper.requests import VERSION_3, AddRun, Request
from magnetar_proto.bookkeeper.responses import AddedRun, Response
from magnetar_proto.bookkeeper.runs import cut_added, cut_adds
from magnetar_proto.errors import FrameSizeError
from magnetar_proto.receive_buffer import Item, ReceiveBuffer

DEFAULT_MAX_FRAME_BYTES: Final = 5_253_120
"""Apache Pulsar's for its bookies: its largest message and 10 KiB."""

SIZE_BYTES: Final = 4
_SMALLEST_PACKET_BYTES: Final = 4

# Slices of a `bytes` cost a third of slices of a memoryview, and a second copy of a small packet
# next to nothing.
_WINDOW_BYTES: Final = 16 * 1024
_SMALL_PACKET_BYTES: Final = 4 * 1024

_unpack_size: Final = Struct(">I").unpack_from

Buffer = bytes | memoryview


class _Stream(ReceiveBuffer[Item]):
    _decode: Callable[[Buffer], Item]

    def _cut(self, view: memoryview, position: int, end: int, items: list[Item]) -> int:
        decode = self._decode
        while end - position >= SIZE_BYTES:
            if run_bytes := self._cut_run(view, position, end, items):
                position += run_bytes
                continue
            size = self._checked_size(view, position)
            if position + SIZE_BYTES + size > end:
                break
            if size < _SMALL_PACKET_BYTES:
                window = bytes(view[position : min(end, position + _WINDOW_BYTES)])
                position += self._cut_window(window, decode, items)
                continue
            start = position + SIZE_BYTES
            position = start + size
            items.append(decode(view[start:position]))
        return position

    def _cut_run(self, view: memoryview, position: int, end: int, items: list[Item]) -> int:
        """Cut many packets that are alike at once, if they are; gives the bytes that they take."""
        return 0

    def _cut_window(
        self, window: bytes, decode: Callable[[Buffer], Item], items: list[Item]
    ) -> int:
        """Cut all complete packets; gives the bytes that they take."""
        position, end = 0, len(window)
        while end - position >= SIZE_BYTES:
            start = position + SIZE_BYTES
            behind = start + self._checked_size(window, position)
            if behind > end:
                break
            items.append(decode(window[start:behind]))
            position = behind
        return position

    def _frame_bytes(self, view: memoryview, position: int, end: int) -> int:
        if end - position < SIZE_BYTES:
            return SIZE_BYTES
        return SIZE_BYTES + self._checked_size(view, position)

    def _checked_size(self, data: Buffer, position: int) -> int:
        size = int(_unpack_size(data, position)[0])
        if not _SMALLEST_PACKET_BYTES <= size <= self.max_frame_bytes - SIZE_BYTES:
            raise FrameSizeError(f"packet of {size} bytes, the limit is {self.max_frame_bytes}")
        return size


def decode_request(frame: Buffer) -> Request:
    """Read a request of either version.

    Args:
        frame: without its length, at least one byte.

    Raises:
        CommandError: see `wire_v2` and `wire_v3_requests`.
    """
    if frame[0] == VERSION_3:
        return wire_v3_requests.decode_request(frame)
    return wire_v2.decode_request(frame)


def decode_response(frame: Buffer) -> Response:
    """Read a response of either version.

    Args:
        frame: without its length, at least one byte.

    Raises:
        CommandError: see `wire_v2` and `wire_v3_responses`.
    """
    if frame[0] == VERSION_3:
        return wire_v3_responses.decode_response(frame)
    return wire_v2.decode_response(frame)


def encode_request(request: Request, parts: list[bytes]) -> None:
    """Append the frame of a request to what is to be written; a payload as the object it is."""
    if request.version == VERSION_3:
        wire_v3_requests.encode_request(request, parts)
    else:
        wire_v2.encode_request(request, parts)


def encode_response(response: Response, parts: list[bytes]) -> None:
    """Append the frame of a response to what is to be written; entries as the objects they are."""
    if response.version == VERSION_3:
        wire_v3_responses.encode_response(response, parts)
    else:
        wire_v2.encode_response(response, parts)


class RequestStream(_Stream[Request]):
    """Cuts requests out of a stream that arrives in chunks of any size, versions mixed."""

    _decode = staticmethod(decode_request)


class ResponseStream(_Stream[Response]):
    """Cuts responses out of a stream that arrives in chunks of any size, versions mixed."""

    _decode = staticmethod(decode_response)


class RequestRunStream(_Stream[Request | AddRun]):
    """As `RequestStream`; many adds that are alike come as runs."""

    _decode = staticmethod(decode_request)

    def _cut_run(
        self, view: memoryview, position: int, end: int, items: list[Request | AddRun]
    ) -> int:
        runs, run_bytes = cut_adds(view, position, end, self.max_frame_bytes - SIZE_BYTES)
        items += runs
        return run_bytes


class ResponseRunStream(_Stream[Response | AddedRun]):
    """As `ResponseStream`; many adds that ended well come as runs."""

    _decode = staticmethod(decode_response)

    def _cut_run(
        self, view: memoryview, position: int, end: int, items: list[Response | AddedRun]
    ) -> int:
        runs, run_bytes = cut_added(view, position, end)
        items += runs
        return run_bytes
