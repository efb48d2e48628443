"""The client's end of a connection: requests that are answered, refused, or never."""

import asyncio
from unittest.mock import Mock

import pytest
from magnetar_broker.errors import BrokerError, ServiceNotReadyError
from magnetar_broker.inner_client.client_connection import ClientConnection
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import FrameSplitter, encode_command
from magnetar_runtime import sim

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


class Broker(asyncio.BufferedProtocol):
    """Greets, and answers PINGs."""

    def __init__(self) -> None:
        self._splitter = FrameSplitter(1 << 20)
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._splitter.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        assert self._transport is not None
        for kind, _, _ in self._splitter.buffer_updated(nbytes):
            if kind == api.BaseCommand.CONNECT:
                greeting = api.CommandConnected(server_version="b")
                self._transport.write(encode_command(greeting))
            elif kind == api.BaseCommand.PING:
                self._transport.write(encode_command(api.CommandPong()))


async def kept_alive(world: sim.Simulation) -> tuple[ClientConnection, sim.SimHost]:
    """A connection that was silent for five minutes, and its broker's machine."""
    here, there = world.network.host("here"), world.network.host("there")
    await there.listen(Broker, "there", 6650)
    connection = ClientConnection(world.loop, 1 << 20)
    await here.connect(lambda: connection, "there", 6650)
    await connection.greet()
    connection.keep_alive(30)
    await asyncio.sleep(300)
    assert not connection.closed
    return connection, there


def test_a_broker_whose_machine_lost_power_is_given_up() -> None:
    """Scenario: no RST comes. A consumer of a topic there heard nothing any more, for ever."""

    async def main(world: sim.Simulation) -> None:
        connection, there = await kept_alive(world)
        consumer = Mock()
        connection.consumers[1] = consumer
        there.fail(silently=True)
        await asyncio.sleep(61)
        assert connection.closed
        consumer.detached.assert_called_once_with()
        with pytest.raises(ServiceNotReadyError):
            await connection.request(api.CommandLookupTopic(topic="t"), 5)

    sim.run(main)


def test_a_held_connection_is_not_given_up_until_it_could_be_heard() -> None:
    async def main(world: sim.Simulation) -> None:
        connection, there = await kept_alive(world)
        connection.hold()
        await asyncio.sleep(300)
        connection.release()
        await asyncio.sleep(300)
        assert not connection.closed
        connection.hold()
        there.fail(silently=True)
        await asyncio.sleep(59)
        connection.release()
        await asyncio.sleep(29)
        assert not connection.closed
        await asyncio.sleep(32)
        assert connection.closed

    sim.run(main)
