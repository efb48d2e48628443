"""The sockets of producers rest while their topic is ahead of its rate."""

import asyncio

from tests.broker.client import sends
from tests.broker.consume_world import TOPIC, ConsumeWorld, scenario
from tests.broker.policies.puts import put_of_topic


async def put_rate(world: ConsumeWorld, messages: int, size_bytes: int = 0) -> None:
    rate = {
        "publishThrottlingRateInMsg": messages,
        "publishThrottlingRateInByte": size_bytes,
    }
    await put_of_topic(world, publishRate=rate)


@scenario
async def test_a_producer_that_is_ahead_is_not_read_until_its_time_has_come(
    world: ConsumeWorld,
) -> None:
    client = await world.client()
    await client.produce(TOPIC)
    await put_rate(world, 10)
    client.publish(*sends(1, *range(10)))
    assert client.transport.reading
    client.publish(*sends(1, *range(10, 15)))
    assert not client.transport.reading
    await asyncio.sleep(0.4)
    assert not client.transport.reading
    await asyncio.sleep(0.11)
    assert client.transport.reading
    assert len([each for each in client.take() if hasattr(each, "message_id")]) == 15


@scenario
async def test_bytes_count_too_and_a_limit_that_goes_lets_all_go_on(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.produce(TOPIC)
    await put_rate(world, 0, 1000)
    client.publish(*sends(1, 0), body=b"x" * 5000)
    assert not client.transport.reading
    await put_rate(world, 0)
    assert client.transport.reading
    client.publish(*sends(1, 1), body=b"x" * 5000)
    assert client.transport.reading
    await asyncio.sleep(60)  # the timer of the first one rings, and means nobody


@scenario
async def test_connections_go_on_when_their_topic_is_closed(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.produce(TOPIC)
    await put_rate(world, 1)
    client.publish(*sends(1, 0, 1, 2))
    assert not client.transport.reading
    await world.service.topics.unload(world.service.topics.loaded[TOPIC])
    assert client.transport.reading
