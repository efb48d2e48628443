"""A peer of the bookie service without a socket: what it sends and what comes back."""

import asyncio
from pathlib import Path
from typing import Any

from magnetar_proto.bookie import LAST_ENTRY
from magnetar_proto.bookkeeper.requests import (
    VERSION_2,
    VERSION_3,
    AddRequest,
    ReadRequest,
    Request,
    WriteLacRequest,
)
from magnetar_proto.bookkeeper.responses import Response
from magnetar_proto.bookkeeper.stream import ResponseStream, encode_request
from magnetar_runtime.disk import DiskSpace
from magnetar_runtime.scope import TaskScope
from magnetar_storage.service.connection import BookieConnection
from magnetar_storage.service.context import Flusher, ServiceContext
from magnetar_storage.service.lac_table import LacTable
from magnetar_storage.service.limits import ServiceLimits
from magnetar_storage.service.listings import Listings
from magnetar_storage.service.long_polls import LongPolls

from tests.proto.bookie_contract import KEY, LEDGER, payload_of
from tests.storage.support import Box

__all__ = ["KEY", "LAST_ENTRY", "LEDGER", "VERSION_2", "VERSION_3", "Peer", "World"]


class FakeTransport:
    """What the connection does to its socket."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.paused = False
        self.closed = False

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 4711) if name == "peername" else None

    def write(self, data: bytes) -> None:
        self.writes.append(bytes(data))

    def writelines(self, parts: list[bytes]) -> None:
        self.writes.append(b"".join(parts))

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        assert self.paused
        self.paused = False

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    abort = close


class Peer:
    """One connection of a world."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.transport = FakeTransport()
        self.gone: list[BookieConnection] = []
        self.connection = BookieConnection(world.context, self.gone.append)
        self.connection.connection_made(self.transport)
        self._stream = ResponseStream(1 << 30)
        self._read = 0

    def send(self, *requests: Request) -> None:
        """One chunk with these requests."""
        parts: list[bytes] = []
        for request in requests:
            encode_request(request, parts)
        self.send_bytes(b"".join(parts))

    def send_bytes(self, data: bytes) -> None:
        """As a socket would, in pieces that fit."""
        while data:
            room = self.connection.get_buffer(len(data))
            part, data = data[: len(room)], data[len(room) :]
            room[: len(part)] = part
            self.connection.buffer_updated(len(part))

    def received(self) -> list[Response]:
        """What has come since the last call."""
        new = self.transport.writes[self._read :]
        self._read = len(self.transport.writes)
        return [response for data in new for response in self._stream.feed(data)]

    async def ask(self, *requests: Request) -> list[Response]:
        """Send, let everything happen, give what came."""
        self.send(*requests)
        await self.world.settle()
        return self.received()


class World:
    """A real engine behind the service."""

    def __init__(self, directory: Path, **limits: int) -> None:
        self.box = Box(directory)
        self._limits = limits
        self.space: DiskSpace | None = DiskSpace(1000, 400)

    @classmethod
    async def behind(cls, box: Box) -> "World":
        """Another service for a bookie that is open, as one that has just begun."""
        world = cls(box.directory)
        world.box = box
        return world._serve()

    async def open(self) -> "World":
        await self.box.open()
        return self._serve()

    def _serve(self) -> "World":
        loop = asyncio.get_running_loop()
        limits, tasks = ServiceLimits(**self._limits), TaskScope()
        self.context = ServiceContext(
            self.box.bookie,
            limits,
            loop,
            LacTable(limits.max_lacs),
            LongPolls(loop, limits.max_long_polls),
            Flusher(loop),
            Listings(self.box.bookie.list_entries, limits, tasks),
            tasks,
            lambda: self.space,
        )
        return self

    async def settle(self) -> None:
        """Until nothing is under way; reads that waited begin when others end."""
        for _ in range(1000):
            ended = self.box.bookie.counters.reads, self.box.bookie.counters.adds
            await self.box.settle()
            if ended == (self.box.bookie.counters.reads, self.box.bookie.counters.adds):
                return
        raise AssertionError("the service does not come to rest")

    def peer(self) -> Peer:
        return Peer(self)


def header(entry_id: int, lac: int, ledger_id: int = LEDGER) -> bytes:
    numbers = (ledger_id, entry_id, lac, 0)
    return b"".join(number.to_bytes(8, "big", signed=True) for number in numbers)


def add(
    entry_id: int,
    version: int = VERSION_2,
    txn_id: int = 0,
    *,
    ledger_id: int = LEDGER,
    lac: int | None = None,
    key: bytes = KEY,
    flags: int = 0,
    size: int = 20,
) -> AddRequest:
    head = header(entry_id, entry_id - 1 if lac is None else lac, ledger_id)
    payload = b"\xdd" * 4 + payload_of(entry_id, size)
    return AddRequest(version, txn_id, flags, ledger_id, entry_id, key, head, payload)


def entry(entry_id: int, *, lac: int | None = None, size: int = 20) -> bytes:
    """The whole entry of `add`."""
    request = add(entry_id, lac=lac, size=size)
    return request.header + request.payload


def read(
    entry_id: int, version: int = VERSION_2, txn_id: int = 0, flags: int = 0, key: bytes = b""
) -> ReadRequest:
    return ReadRequest(version, txn_id, flags, LEDGER, entry_id, key)


def lac_body(lac: int) -> bytes:
    return LEDGER.to_bytes(8, "big") + lac.to_bytes(8, "big", signed=True) + b"crc!"


def write_lac(lac: int, txn_id: int = 0, key: bytes = KEY) -> WriteLacRequest:
    return WriteLacRequest(txn_id, LEDGER, lac, key, lac_body(lac))


def long_poll(previous_lac: int, timeout_ms: int, txn_id: int = 0, flags: int = 0) -> ReadRequest:
    return ReadRequest(VERSION_3, txn_id, flags, LEDGER, LAST_ENTRY, b"", previous_lac, timeout_ms)
