"""Many topics over few connections, against a real broker."""

import asyncio

import pytest

from bench.batch import SendBatch
from bench.errors import WireError
from bench.many import ManyConnection, attach_all, owner_port
from bench.servers import Server


async def test_many_topics_are_opened_side_by_side(magnetar: Server, topic: str) -> None:
    connections = [await ManyConnection.open(magnetar.port) for _ in range(2)]
    topics = [f"{topic}-{number}" for number in range(10)]
    await attach_all(connections, topics, in_flight=4)
    assert await owner_port(magnetar.port, topics[0]) == magnetar.port
    frame_bytes = SendBatch(100).frame_bytes
    await connections[0].send(bytes(SendBatch(100).buffer[:frame_bytes]))
    for connection in connections:
        connection.close()


async def test_a_server_that_goes_is_an_error(magnetar: Server) -> None:
    connection = await ManyConnection.open(magnetar.port)
    lookup = asyncio.gather(connection.lookup("persistent://public/default/x"))
    await asyncio.sleep(0)
    connection.close()
    with pytest.raises(WireError, match="closed the connection"):
        await lookup
