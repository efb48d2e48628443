"""The port: real sockets, metrics, the end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.responses import AddResponse, Response
from magnetar_proto.bookkeeper.stream import ResponseStream, encode_request
from magnetar_runtime.disk import DiskSpace
from magnetar_runtime.network import SystemNetwork
from magnetar_storage.service.limits import ServiceLimits
from magnetar_storage.service.server import BookieServer

from tests.storage.service.peer import LEDGER, VERSION_2, VERSION_3, add, read
from tests.storage.support import Box


class Served:
    """A bookie on a port of this machine."""

    def __init__(self, directory: Path) -> None:
        self.box = Box(directory)

    async def open(self) -> None:
        bookie = await self.box.open()
        loop = asyncio.get_running_loop()
        self.server = BookieServer(bookie, loop, ServiceLimits(), lambda: DiskSpace(10, 5))
        (address,) = await self.server.listen(SystemNetwork(), ["127.0.0.1"], 0)
        self.port = int(address.rpartition(":")[2])

    async def close(self) -> None:
        await self.server.close()
        await self.box.bookie.close()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    served = Served(tmp_path)
    await served.open()
    yield served
    await served.close()


async def responses(reader: asyncio.StreamReader, count: int) -> list[Response]:
    stream, found = ResponseStream(1 << 30), []
    while len(found) < count:
        data = await reader.read(1 << 16)
        assert data, f"closed after {len(found)} answers"
        found += stream.feed(data)
    return found


async def test_thousand_adds_and_reads_over_a_socket(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    parts: list[bytes] = []
    for n in range(1000):
        encode_request(add(n, (VERSION_2, VERSION_3)[n % 2], n * (n % 2)), parts)
    writer.write(b"".join(parts))
    answers = await responses(reader, 1000)
    assert {each.status for each in answers} == {Status.OK}
    assert sorted(each.entry_id for each in answers) == list(range(1000))
    parts = []
    for n in range(1000):
        encode_request(read(n, size := VERSION_2), parts)
    writer.write(b"".join(parts))
    answers = await responses(reader, 1000)
    assert [each.entry_id for each in answers] == list(range(1000)), size
    families = {family.name: family.samples[0].value for family in served.server.families()}
    assert families["bookkeeper_server_ACTIVE_CONNECTIONS"] == 1
    assert families["magnetar_bookie_connections_opened_total"] == 1
    assert families["magnetar_bookie_pending_adds"] == 0
    assert families["bookkeeper_server_ADD_ENTRY_IN_PROGRESS"] == 0
    assert families["magnetar_bookie_held_connections"] == 0
    writer.close()


async def test_an_end_closes_connections(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    parts: list[bytes] = []
    encode_request(add(0), parts)
    writer.write(b"".join(parts))
    assert await responses(reader, 1) == [AddResponse(VERSION_2, 0, Status.OK, LEDGER, 0)]
    await served.server.close()
    with pytest.raises(ConnectionError):
        if not await reader.read(1):
            raise ConnectionResetError
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", served.port)
    writer.close()


async def test_the_system_looks_after_idle_connections(served: Served) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    while not served.server._connections:
        await asyncio.sleep(0)
    (connection,) = served.server._connections
    assert connection._transport is not None
    peer = connection._transport.get_extra_info("socket")
    assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    writer.close()
