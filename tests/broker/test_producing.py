"""The way of a PRODUCER to its producer, and what its client does meanwhile."""

import asyncio

from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.client import kind_of
from tests.broker.conftest import Broker


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
