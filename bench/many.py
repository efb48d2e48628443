"""Many topics and many connections from one process: requests in flight side by side, on asyncio.

Nothing here is fast; it measures how a server takes large numbers of things, not of messages.
"""

import asyncio
import itertools
import struct
from collections.abc import Callable, Sequence
from typing import Final

from bench import wire
from bench.errors import WireError

HOST: Final = "127.0.0.1"
RETRY_INTERVAL_S: Final = 0.1
REDIRECT, CONNECT_TO = 0, 1
_ANSWERS: Final = {
    wire.LOOKUP_RESPONSE: 4,
    wire.PRODUCER_SUCCESS: 1,
    wire.SUCCESS: 1,
    wire.ERROR: 1,
}
"""Answer -> the number of the field with the request's id."""

Fields = dict[int, wire.Value]


class ManyConnection(asyncio.Protocol):
    """One connection with any number of requests in flight; `receipts` counts those that came."""

    def __init__(self) -> None:
        self._buffer = b""
        self._waiting: dict[int, asyncio.Future[Fields]] = {}
        self._ids = itertools.count(1)
        self._transport: asyncio.Transport | None = None
        self._connected = asyncio.get_running_loop().create_future()
        self._receipt: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, port: int) -> "ManyConnection":
        """Connected and greeted."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(cls, HOST, port)
        await connection._connected
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(wire.connect())

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._buffer += data
        while len(self._buffer) >= 4:
            (size,) = struct.unpack_from(">I", self._buffer)
            if len(self._buffer) < size + 4:
                return
            frame, self._buffer = self._buffer[: size + 4], self._buffer[size + 4 :]
            self._take(*wire.parse_command(frame))

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        for future in (*self._waiting.values(), self._connected, self._receipt):
            if future is not None and not future.done():
                future.set_exception(WireError(f"the server closed the connection: {error}"))

    def _take(self, kind: int, fields: Fields) -> None:
        if kind == wire.PING:
            self._write(wire.PONG_FRAME)
        elif kind == wire.CONNECTED:
            self._connected.set_result(None)
        elif kind == wire.SEND_RECEIPT:
            assert self._receipt is not None
            self._receipt.set_result(None)
        elif kind in _ANSWERS:
            future = self._waiting.pop(int(fields[_ANSWERS[kind]]))
            if kind == wire.ERROR:
                future.set_exception(WireError(f"error: {fields}"))
            else:
                future.set_result(fields)

    def _write(self, frame: bytes) -> None:
        assert self._transport is not None
        self._transport.write(frame)

    async def request(self, make: Callable[[int], bytes]) -> Fields:
        """The answer to the command that `make` makes for an id. Raises WireError."""
        request_id = next(self._ids)
        future = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        self._write(make(request_id))
        return await future

    async def send(self, frame: bytes) -> None:
        """One SEND, and its receipt."""
        self._receipt = asyncio.get_running_loop().create_future()
        self._write(frame)
        await self._receipt

    async def lookup(self, topic: str, *, authoritative: bool = False) -> Fields:
        """The answer to a LOOKUP."""

        def make(request_id: int) -> bytes:
            fields: wire.Fields = [(1, topic.encode()), (2, request_id), (3, int(authoritative))]
            return wire.command(wire.LOOKUP, fields)

        return await self.request(make)

    async def attach(self, topic: str, number: int) -> None:
        """A lookup, a subscription with its consumer, a producer; tried again while refused."""
        while True:
            try:
                await self.lookup(topic)
                await self.request(lambda id_: wire.subscribe(topic, "s", number, id_))
                await self.request(lambda id_: wire.producer(topic, number, id_))
            except WireError:
                if self._transport is None or self._transport.is_closing():
                    raise
                await asyncio.sleep(RETRY_INTERVAL_S)
            else:
                return

    def close(self) -> None:
        """Producers and consumers end with it."""
        assert self._transport is not None
        self._transport.close()


async def attach_all(
    connections: Sequence[ManyConnection], topics: Sequence[str], in_flight: int
) -> None:
    """A consumer and a producer on every topic, so many at a time."""
    rows = iter(enumerate(topics))

    async def some() -> None:
        for number, topic in rows:
            await connections[number % len(connections)].attach(topic, number)

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(some())


async def owner_port(port: int, topic: str) -> int:
    """The binary port of the broker that serves a topic, asked of the one at `port`."""
    asked, authoritative = port, False
    while True:
        connection = await ManyConnection.open(asked)
        fields = await connection.lookup(topic, authoritative=authoritative)
        connection.close()
        if fields.get(3) not in (REDIRECT, CONNECT_TO):
            await asyncio.sleep(RETRY_INTERVAL_S)
            continue
        url = fields[1]
        assert isinstance(url, bytes)
        named = int(url.decode().rpartition(":")[2])
        if fields[3] == CONNECT_TO:
            return named
        asked, authoritative = named, bool(fields.get(5))
