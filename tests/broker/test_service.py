"""The service: start, stop, and what is counted."""

import asyncio

from magnetar_broker.config import BrokerConfig
from magnetar_broker.topic_name import TopicName
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.limits import Limits

from tests.broker.client import kind_of
from tests.broker.conftest import Broker, StartBroker


async def test_connections_are_counted(broker: Broker) -> None:
    first, second = await broker.client(1), await broker.client(2)
    assert list(broker.service.connections) == [first.connection, second.connection]
    first.transport.close()
    await first.turn()
    assert list(broker.service.connections) == [second.connection]
    assert broker.service.connections_opened == 2
    assert broker.service._addresses == {"127.0.0.1": 1}


async def test_stop_sends_clients_away(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    await broker.service.stop()
    assert [kind_of(reply) for reply in client.received()] == ["close_producer"]
    assert client.transport.closing
    assert broker.ledger("x").closed
    late = broker.new_client()
    assert [kind_of(reply) for reply in late.received()] == ["error"]
    assert late.transport.closing
    assert not await broker.service.healthy()


async def test_client_that_connects_during_the_stop_loads_nothing(broker: Broker) -> None:
    client = await broker.client()
    await broker.service.topics.close_all()
    reply = await client.produce("x", 1)
    assert reply.error == api.ServerError.ServiceNotReady
    assert broker.opened == []


async def test_partitioned_topic_has_its_partitions(broker: Broker) -> None:
    await broker.service.admin.create_partitioned(TopicName.parse("x"), 3)
    assert len(broker.service.topics.loaded) == 3


async def test_two_brokers_of_a_store_never_make_the_same_name(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(cluster="c"))
    names = {broker.service.new_producer_name() for _ in range(3)}
    assert names == {"c-0-0", "c-0-1", "c-0-2"}


async def test_stop_ends_though_a_topic_does_not_close(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(shutdown_timeout_ms=20)))
    client = await broker.client()
    await client.produce("x", 1)
    hangs = asyncio.Event()

    async def close() -> None:
        await hangs.wait()

    broker.ledger("x").close = close  # type: ignore[method-assign]
    async with asyncio.timeout(5):
        await broker.service.stop()
    assert client.transport.closing
