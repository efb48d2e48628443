"""A client without a socket: it hands frames to a connection and reads what it writes."""

import asyncio
from collections.abc import Callable
from typing import Any

from magnetar_broker.connection import Connection
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.commands import FIELD_OF_KIND
from magnetar_proto.frames import FrameSplitter, encode_command, encode_payload_command
from magnetar_proto.payloads import encode_payload


class MemoryTransport(asyncio.Transport):
    """Keeps what is written; tells its protocol of a loss in the next turn, as real ones do."""

    def __init__(self, loop: asyncio.AbstractEventLoop, peer: tuple[str, int]) -> None:
        super().__init__({"peername": peer})
        self.loop = loop
        self.protocol: Connection | None = None
        self.written = bytearray()
        self.writes = 0
        self.reading = True
        self.closing = False
        self.aborted = False
        self.unread_bytes: int | None = None

    def get_write_buffer_size(self) -> int:
        """All that was written and not taken, unless the test says how much."""
        return len(self.written) if self.unread_bytes is None else self.unread_bytes

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes += 1
        self.written += data

    def writelines(self, list_of_data: Any) -> None:
        self.writes += 1
        for data in list_of_data:
            self.written += data

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            assert self.protocol is not None
            self.loop.call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.aborted = True
        self.close()


class Client:
    """One connection of a broker service, driven by hand."""

    def __init__(
        self, factory: Callable[[], Connection], peer: tuple[str, int] = ("127.0.0.1", 50000)
    ) -> None:
        self.transport = MemoryTransport(asyncio.get_running_loop(), peer)
        self.connection = factory()
        self.transport.protocol = self.connection
        self._splitter = FrameSplitter(1 << 24)
        self._received: list[tuple[int, Any, bytes | None]] = []
        self.connection.connection_made(self.transport)

    def feed(self, data: bytes, chunk_bytes: int = 1 << 30) -> None:
        """Let the connection receive bytes, in chunks of a size."""
        rest = memoryview(data)
        while rest and not self.connection.closed:
            room = memoryview(self.connection.get_buffer(-1))
            part = min(len(room), len(rest), chunk_bytes)
            room[:part] = rest[:part]
            rest = rest[part:]
            self.connection.buffer_updated(part)

    def send(self, *commands: Any) -> None:
        """Send commands in one chunk."""
        self.feed(b"".join(encode_command(command) for command in commands))

    def publish(self, *sends: api.CommandSend, body: bytes = b"x") -> None:
        """Send messages in one chunk."""
        self.feed(b"".join(send_frame(send, body) for send in sends))

    def received(self) -> list[Any]:
        """The commands that came since the last call."""
        data = bytes(self.transport.written)
        self.transport.written.clear()
        return [message for _, message, _ in self._splitter.feed(data)]

    async def turn(self, turns: int = 30) -> list[Any]:
        """Let the loop run, then take what came."""
        for _ in range(turns):
            await asyncio.sleep(0)
        return self.received()

    async def ask(self, command: Any) -> Any:
        """Send a command; its one reply."""
        self.send(command)
        for _ in range(1000):
            await asyncio.sleep(0)
            if self.transport.written or self.connection.closed:
                break
        [reply] = await self.turn(2)
        return reply

    async def connect(self, version: int = 21) -> api.CommandConnected:
        reply = await self.ask(api.CommandConnect(client_version="test", protocol_version=version))
        assert isinstance(reply, api.CommandConnected)
        return reply

    async def produce(self, topic: str, producer_id: int = 1, **fields: Any) -> Any:
        """Ask for a producer; the reply."""
        return await self.ask(
            api.CommandProducer(
                topic=topic, producer_id=producer_id, request_id=1000 + producer_id, **fields
            )
        )


def send_frame(send: api.CommandSend, body: bytes = b"x", *, damaged: bool = False) -> bytes:
    """A frame with a message of a producer."""
    metadata = api.MessageMetadata(producer_name="p", sequence_id=send.sequence_id, publish_time=1)
    payload = encode_payload(metadata, body)
    if damaged:
        payload = payload[:-1] + bytes((payload[-1] ^ 1,))
    return encode_payload_command(send, payload) + payload


def sends(producer_id: int, *sequence_ids: int) -> list[api.CommandSend]:
    return [
        api.CommandSend(producer_id=producer_id, sequence_id=sequence_id)
        for sequence_id in sequence_ids
    ]


def kind_of(message: Any) -> str:
    """The name of a command in `BaseCommand`, such as `send_receipt`."""
    base = api.BaseCommand()
    for name in FIELD_OF_KIND.values():
        if type(getattr(base, name)) is type(message):
            return name
    raise AssertionError(type(message))
