"""A client of the Pulsar protocol on any network: requests, receipts, messages."""

import asyncio
from collections.abc import Callable
from typing import Any, Self, cast

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import FrameSplitter, encode_command
from magnetar_runtime.network import Network

KEEP_ALIVE_S = 30.0


class RefusedError(Exception):
    """The broker answered a request by an error."""


class WireClient(asyncio.BufferedProtocol):
    """One connection.

    Attributes:
        on_command: Told of every command that answers no request, with its payload if it has one.
        lost: Done when the connection is over.
    """

    def __init__(self) -> None:
        self.on_command: Callable[[Any, bytes | None], None] = lambda command, payload: None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._splitter = FrameSplitter(6 << 20)
        self._transport = cast(asyncio.Transport, None)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._next_request = 0
        self._silent_ticks = 0

    @classmethod
    async def open(cls, network: Network, host: str, port: int) -> Self:
        """Connect and shake hands. OSError if the connection is lost meanwhile."""
        _, client = await network.connect(cls, host, port)
        assert isinstance(client, cls)
        client._watch()
        handshake = client._expect(-1)
        client.send(api.CommandConnect(client_version="test", protocol_version=21))
        await handshake
        return client

    def send(self, *commands: Any) -> None:
        """Send commands without payloads."""
        self.write(b"".join(map(encode_command, commands)))

    def write(self, frames: bytes) -> None:
        """Send frames, unless the connection is over."""
        if not self.lost.done():
            self._transport.write(frames)

    async def ask(self, kind: Any, **fields: Any) -> Any:
        """Send a command with a new request id; its answer.

        Raises:
            RefusedError: the broker refuses.
            OSError: the connection is lost.
        """
        self._next_request += 1
        answer = self._expect(self._next_request)
        self.send(kind(request_id=self._next_request, **fields))
        return await answer

    def close(self) -> None:
        if not self.lost.done():
            self._transport.close()

    def _watch(self) -> None:
        """Ping a broker that says nothing; leave one that has said nothing since."""
        if self.lost.done():
            return
        if self._silent_ticks == 2:
            self._transport.abort()
            return
        self._silent_ticks += 1
        self.send(api.CommandPing())
        asyncio.get_running_loop().call_later(KEEP_ALIVE_S, self._watch)

    def _expect(self, request_id: int) -> asyncio.Future[Any]:
        answer = asyncio.get_running_loop().create_future()
        if self.lost.done():
            answer.set_exception(ConnectionResetError("the connection is over"))
        self._answers[request_id] = answer
        return answer

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._splitter.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        self._silent_ticks = 0
        for _, command, payload in self._splitter.buffer_updated(nbytes):
            self._take(command, payload)

    def _take(self, command: Any, payload: bytes | None) -> None:
        if isinstance(command, api.CommandPing | api.CommandPong):
            if isinstance(command, api.CommandPing):
                self.send(api.CommandPong())
            return
        connected = isinstance(command, api.CommandConnected)
        request_id = -1 if connected else getattr(command, "request_id", None)
        answer = self._answers.pop(request_id, None) if request_id is not None else None
        if answer is None or answer.done():
            self.on_command(command, payload)
        elif isinstance(command, api.CommandError):
            answer.set_exception(RefusedError(command.message))
        else:
            answer.set_result(command)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(None)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(error or ConnectionResetError("closed by the broker"))
