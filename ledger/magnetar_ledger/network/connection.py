"""One connection to a bookie: writes what has gathered in a turn, cuts responses out of chunks."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Final, cast

from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.requests import StartTlsRequest
from magnetar_proto.bookkeeper.responses import AddedRun, Response, StartTlsResponse
from magnetar_proto.bookkeeper.stream import (
    DEFAULT_MAX_FRAME_BYTES,
    ResponseRunStream,
    encode_request,
)
from magnetar_proto.errors import ProtocolError
from magnetar_runtime.tls import start_tls

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
        self._answer: asyncio.Future[Response | AddedRun] | None = None  # to START_TLS
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
        if self._answer is not None:
            self._answered(responses)
        elif responses:
            self._on_responses(responses)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.alive = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("closed at START_TLS"))
        self._on_lost(self)

    async def secure(self, context: ssl.SSLContext, host: str, timeout_ms: int) -> None:
        """Go on encrypted, before anything else was asked.

        Raises:
            OSError: the bookie refuses, or it or its certificate is not to be trusted; the
                connection is closed.
        """
        try:
            await self._start_tls(context, host, timeout_ms)
        except BaseException:
            self.abort()
            raise

    async def _start_tls(self, context: ssl.SSLContext, host: str, timeout_ms: int) -> None:
        self._answer = asyncio.get_running_loop().create_future()
        parts: list[bytes] = []
        encode_request(StartTlsRequest(0), parts)
        self.write(parts)
        answer = await self._answer
        self._answer = None
        if not isinstance(answer, StartTlsResponse) or answer.status is not Status.OK:
            raise ConnectionRefusedError(f"the bookie has no TLS: {answer}")
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("closed behind START_TLS")
        self._transport = await start_tls(
            self._transport,
            self,
            context,
            server_side=False,
            timeout_ms=timeout_ms,
            host=host if context.check_hostname else None,
        )

    def _answered(self, responses: Sequence[Response | AddedRun]) -> None:
        """The only answer that comes in clear; more would be taken for something encrypted."""
        assert self._answer is not None
        if len(responses) > 1 or self._stream.pending_bytes or self._answer.done():
            self.abort()
        elif responses:
            self._answer.set_result(responses[0])

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
