"""The way of a PRODUCER to its producer, and what its client does meanwhile."""

import asyncio

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import ErrorCode
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.client import kind_of, sends
from tests.broker.conftest import Broker, StartBroker
from tests.broker.test_broker_on_ledgers import broker_on, client_of, on_virtual_time, replies
from tests.ledger.managed.harness import World


async def test_nothing_is_left_of_a_client_that_went_while_its_topic_was_loaded(
    broker: Broker,
) -> None:
    gate = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        await asyncio.shield(gate)

    broker.before_open = wait
    client = await broker.client()
    client.send(api.CommandProducer(topic="x", producer_id=1, request_id=2))
    await client.turn()
    client.transport.close()
    await client.turn()
    gate.set_result(None)
    await client.turn()
    [topic] = broker.service.topics.loaded.values()
    assert topic.producers == {}
    assert client.connection.producing == {}


async def test_a_producer_closed_while_its_topic_loads_gets_no_late_answer(broker: Broker) -> None:
    client = await broker.client()
    client.send(
        api.CommandProducer(topic="a/b", producer_id=1, request_id=2),
        api.CommandCloseProducer(producer_id=1, request_id=3),
    )
    assert [kind_of(reply) for reply in await client.turn()] == ["success"]


async def test_an_id_used_again_while_it_loads_belongs_to_the_later_one(broker: Broker) -> None:
    client = await broker.client()
    client.send(
        api.CommandProducer(topic="x", producer_id=1, request_id=2, producer_name="first"),
        api.CommandCloseProducer(producer_id=1, request_id=3),
        api.CommandProducer(topic="x", producer_id=1, request_id=4, producer_name="second"),
    )
    replies = [r for r in await client.turn(200) if kind_of(r) == "producer_success"]
    assert [reply.request_id for reply in replies] == [4]
    [topic] = broker.service.topics.loaded.values()
    assert list(topic.producers) == ["second"]


@on_virtual_time
async def test_an_initial_subscription_gets_all_that_is_published() -> None:
    world = World()
    async with broker_on(world) as service:
        client = await client_of(service)
        await client.produce("x", 1)
        client.publish(*sends(1, 0, 1))
        await replies(client, 2)
        [topic] = service.topics.loaded.values()
        reply = await client.produce("x", 2, initial_subscription_name="first")
        assert kind_of(reply) == "producer_success"
        cursor = topic.subscriptions["first"].cursor
        assert topic.ledger.cursors["first"] is cursor
        assert cursor.durable
        assert cursor.backlog_entries == 2
        again = await client.produce("x", 3, initial_subscription_name="first")
        assert kind_of(again) == "producer_success"
        assert topic.subscriptions["first"].cursor is cursor
    await world.scope.close()


async def test_an_initial_subscription_that_may_not_be_made(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(allow_auto_subscription_creation=False))
    client = await broker.client()
    reply = await client.produce("x", 1, initial_subscription_name="first")
    assert reply.error == ErrorCode.NOT_ALLOWED
    assert client.connection.producing == {}
    [topic] = broker.service.topics.loaded.values()
    assert topic.producers == {}


@pytest.mark.parametrize("name", ["pulsar.dedup", "pulsar.repl.x", ".."])
async def test_an_initial_subscription_with_a_reserved_name(broker: Broker, name: str) -> None:
    client = await broker.client()
    reply = await client.produce("x", 1, initial_subscription_name=name)
    assert reply.error == ErrorCode.PRODUCER_BUSY


async def test_a_non_persistent_topic_has_no_initial_subscription(broker: Broker) -> None:
    client = await broker.client()
    topic = "non-persistent://public/default/x"
    reply = await client.produce(topic, 1, initial_subscription_name="first")
    assert kind_of(reply) == "producer_success"
    [loaded] = broker.service.topics.loaded.values()
    assert not loaded.subscriptions
