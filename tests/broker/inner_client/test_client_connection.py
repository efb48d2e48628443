"""The client's end of a connection: requests that are answered, refused, or never."""

import asyncio

import pytest
from magnetar_broker.errors import BrokerError, ServiceNotReadyError
from magnetar_broker.inner_client.client_connection import ClientConnection
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import encode_command

from tests.broker.client import MemoryTransport
from tests.broker.inner_client.inner_world import NAME, inner_world


def connected() -> tuple[ClientConnection, MemoryTransport]:
    loop = asyncio.get_running_loop()
    transport = MemoryTransport(loop, ("h", 1))
    connection = ClientConnection(loop, 1 << 20)
    transport.protocol = connection  # type: ignore[assignment]
    connection.connection_made(transport)
    return connection, transport


def feed(connection: ClientConnection, data: bytes) -> None:
    connection.get_buffer(-1)[: len(data)] = data
    connection.buffer_updated(len(data))


async def test_a_ping_is_answered() -> None:
    connection, transport = connected()
    feed(connection, encode_command(api.CommandPing()))
    await asyncio.sleep(0)
    assert bytes(transport.written) == encode_command(api.CommandPong())


async def test_a_request_that_is_not_answered_in_time_or_whose_connection_is_lost() -> None:
    connection, transport = connected()
    with pytest.raises(ServiceNotReadyError, match="CommandLookupTopic was not answered"):
        await connection.request(api.CommandLookupTopic(topic="t"), 0.01)
    waits = asyncio.ensure_future(connection.request(api.CommandLookupTopic(topic="t"), 5))
    await asyncio.sleep(0)
    transport.abort()
    with pytest.raises(ServiceNotReadyError, match="is lost"):
        await waits
    with pytest.raises(ServiceNotReadyError, match="is lost"):
        await connection.request(api.CommandLookupTopic(topic="t"), 5)


async def test_refusals_of_every_form_are_raised() -> None:
    async with inner_world() as inner:
        connection = await inner.client.connection_for(NAME)
        bad = "persistent://a/b"
        for command in (
            api.CommandLookupTopic(topic=bad),
            api.CommandPartitionedTopicMetadata(topic=bad),
            api.CommandProducer(topic=bad, producer_id=1, request_id=0),
        ):
            with pytest.raises(BrokerError, match="Invalid topic name"):
                await connection.request(command, 5)


async def test_rubbish_ends_the_connection() -> None:
    connection, transport = connected()
    feed(connection, b"\x7f" * 16)
    assert connection.closed
    assert transport.closing


async def test_hold_and_release_once() -> None:
    connection, transport = connected()
    connection.hold()
    connection.hold()
    assert not transport.reading
    connection.release()
    connection.release()
    assert transport.reading
    connection.pause_writing()
    waits = asyncio.ensure_future(connection.writable())
    await asyncio.sleep(0)
    assert not waits.done()
    connection.resume_writing()
    await waits
