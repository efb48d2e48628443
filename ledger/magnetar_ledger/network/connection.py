"""One connection to a bookie: writes what has gathered in a turn, cuts responses out of chunks."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, cast

from magnetar_proto.bookkeeper.responses import AddedRun, Response
from magnetar_proto.bookkeeper.stream import DEFAULT_MAX_FRAME_BYTES, ResponseRunStream
from magnetar_proto.errors import ProtocolError

_JOIN_BELOW_BYTES: Final = 2048
"""Parts that are shorter on average are joined before they are written; measured for journals."""


class BookieConnection(asyncio.BufferedProtocol):
    """Tells responses, and once that it is over. A frame that cannot be read ends it."""

    def __init__(
        self,
        on_responses: Callable[[Sequence[Response | AddedRun]], None],
        on_lost: Callable[["BookieConnection"], None],
        max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES,
    ) -> None:
        self._on_responses = on_responses
        self._on_lost = on_lost
        self._stream = ResponseRunStream(max_frame_bytes)
        self._transport: asyncio.Transport | None = None
        self.alive = False
        self.chunks = 0  # received so far

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not checked: the transports of uvloop are no subclasses.
        self._transport = cast(asyncio.Transport, transport)
        self.alive = True

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._stream.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        self.chunks += 1
        try:
            responses = self._stream.buffer_updated(nbytes)
        except ProtocolError as error:
            self.abort()
            responses = getattr(error, "frames", [])
        if responses:
            self._on_responses(responses)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.alive = False
        self._on_lost(self)

    def write(self, parts: Sequence[bytes]) -> None:
        """Send parts in order."""
        if self._transport is None:
            return  # `on_lost` says so
        if sum(map(len, parts)) < _JOIN_BELOW_BYTES * len(parts):
            self._transport.write(b"".join(parts))
        else:
            self._transport.writelines(parts)

    def abort(self) -> None:
        """End it without a word; `on_lost` is called soon."""
        if self._transport is not None:
            self._transport.abort()
