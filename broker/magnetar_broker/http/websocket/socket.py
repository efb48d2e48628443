"""What all WebSockets of this API share: their life, and how they end."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from aiohttp import WSMsgType, web
from magnetar_runtime.scope import TaskScope

from magnetar_broker.inner_client.inner_client import InnerClient

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService

log = logging.getLogger(__name__)

UNREADABLE: Final = 1007
"""Close code: a frame is not what it should be."""
GOING_AWAY: Final = 1001
_CLOSE_WAIT_S: Final = 2.0


class SocketSession:
    """One WebSocket. Open it before the upgrade, so that a refusal is an HTTP status; then serve.

    Attributes:
        client: Its way to topics.
        scope: Its work in the background.
    """

    def __init__(self, service: BrokerService, request: web.Request) -> None:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        self.client = InnerClient(service, f"{peer[0]}:{peer[1]}" if peer else "")
        self.scope = TaskScope(lambda _: self.abort())  # a bug: the peer had better come again
        self.service = service
        self.last_used_s = service.loop.time()
        self._request = request
        self._socket: web.WebSocketResponse | None = None

    async def open(self) -> None:
        """Attach to topics. Raises BrokerError, ParameterError."""
        raise NotImplementedError

    async def took(self, text: str | bytes) -> None:
        """A frame came. Raises FrameTextError: it ends the socket."""
        raise NotImplementedError

    def began(self) -> None:
        """The upgrade is done: frames may be sent."""

    def end(self) -> None:
        """Detach from topics."""

    async def serve(
        self, *, idle_ms: int, ping_s: float, max_frame_bytes: int
    ) -> web.WebSocketResponse:
        """Upgrade, and take frames until the end."""
        socket = web.WebSocketResponse(
            autoping=False,
            heartbeat=ping_s if ping_s > 0 else None,
            max_msg_size=max_frame_bytes,
            compress=False,
        )
        await socket.prepare(self._request)
        self._socket = socket
        try:
            self.began()
            self.scope.spawn(self._end_when_idle(idle_ms), name="wait until a socket is idle")
            await self._take_frames(socket)
        finally:
            await self._finish(socket)
        return socket

    async def _end_when_idle(self, idle_ms: int) -> None:
        """Beside the frames: a time limit for each of them costs more than reading it."""
        left_s = idle_ms / 1000
        while left_s > 0:
            await asyncio.sleep(left_s)
            left_s = self.last_used_s + idle_ms / 1000 - self.service.loop.time()
        await self.close(GOING_AWAY, f"Idle for {idle_ms} ms")

    async def _take_frames(self, socket: web.WebSocketResponse) -> None:
        while True:
            message = await socket.receive()
            self.last_used_s = self.service.loop.time()
            if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
                await self.took(message.data)
            elif message.type is WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type is not WSMsgType.PONG:
                return

    async def send(self, text: str) -> None:
        """Send a frame; waits while the peer does not read. Does nothing once it is gone."""
        socket = self._socket
        if socket is None or socket.closed:
            return
        try:
            await socket.send_str(text)
        except ConnectionError:
            return  # the receiving side sees the same, and ends the session
        self.last_used_s = self.service.loop.time()

    async def close(self, code: int, reason: str) -> None:
        """Say why, and end."""
        socket = self._socket
        if socket is None or socket.closed:
            return
        log.info("WebSocket of %s closed: %s", self.client.remote_address, reason)
        try:
            async with asyncio.timeout(_CLOSE_WAIT_S):
                await socket.close(code=code, message=reason.encode()[:120])
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """End at once, also if the peer does not read."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _finish(self, socket: web.WebSocketResponse) -> None:
        await self.discard()
        if not socket.closed:
            await self.close(GOING_AWAY, "The socket ends")

    async def discard(self) -> None:
        """Detach from topics, and end what goes on beside."""
        self.end()
        self.client.close()
        await self.scope.close()
