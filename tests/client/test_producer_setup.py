"""Producers of partitioned topics on real brokers."""

import urllib.request
from collections import Counter

import pytest
from magnetar import Client, InitialPosition, PartitionsRoutingMode
from magnetar.errors import PulsarException, TopicNotFound

from bench.servers import Server
from tests.client.test_producer import received


def put_partitions(server: Server, topic: str, count: int, *, more: bool = False) -> None:
    url = f"{server.web_url}/admin/v2/{topic.replace('://', '/')}/partitions"
    request = urllib.request.Request(
        url,
        method="POST" if more else "PUT",
        data=str(count).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=30).close()


async def test_messages_are_spread_and_keys_stay(
    client: Client, server: Server, topic: str
) -> None:
    put_partitions(server, topic, 3)
    assert len(await client.get_topic_partitions(topic)) == 3
    consumer = await client.subscribe(topic, "sub", initial_position=InitialPosition.Earliest)
    producer = await client.create_producer(topic)
    ids = [await producer.send(b"%d" % number) for number in range(30)]
    assert set(Counter(each.partition() for each in ids).values()) == {10}
    keyed = [await producer.send(b"x", partition_key=f"k{number % 5}") for number in range(20)]
    for number in range(5):
        assert len({each.partition() for each in keyed[number::5]}) == 1
    assert len(await received(consumer, 50)) == 50
    single = await client.create_producer(
        topic, message_routing_mode=PartitionsRoutingMode.UseSinglePartition
    )
    assert len({(await single.send(b"x")).partition() for _ in range(6)}) == 1
    chosen = await client.create_producer(
        topic,
        message_routing_mode=PartitionsRoutingMode.CustomPartition,
        message_router=lambda _, count: count - 1,
    )
    assert (await chosen.send(b"x")).partition() == 2


async def test_partitions_that_grow(client: Client, server: Server, topic: str) -> None:
    put_partitions(server, topic, 1)
    consumer = await client.subscribe(topic, "sub", initial_position=InitialPosition.Earliest)
    producer = await client.create_producer(topic)
    assert producer.num_partitions() == 1
    put_partitions(server, topic, 4, more=True)
    await client._setups.consumers.grow()  # as it happens each minute
    await client._setups.producers.grow()
    assert producer.num_partitions() == len(consumer.sources) == 4
    ids = [await producer.send(b"x") for _ in range(8)]
    assert {each.partition() for each in ids} == {0, 1, 2, 3}
    assert len(await received(consumer, 8)) == 8


async def test_a_topic_that_is_gone_keeps_no_other_from_growing(
    client: Client, server: Server, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (f"{topic}-gone", topic):
        put_partitions(server, name, 1)
    gone = await client.create_producer(f"{topic}-gone")
    producer = await client.create_producer(topic)
    put_partitions(server, topic, 2, more=True)
    count = client._lookup.partitions

    async def partitions(name: str) -> int:
        if name == gone.topic():
            raise TopicNotFound(name)
        return await count(name)

    monkeypatch.setattr(client._lookup, "partitions", partitions)
    await client._setups.producers.grow()
    assert (gone.num_partitions(), producer.num_partitions()) == (1, 2)


async def test_all_partitions_or_none(client: Client, server: Server, topic: str) -> None:
    put_partitions(server, topic, 3)
    await client.create_producer(f"{topic}-partition-1", "taken")
    with pytest.raises(PulsarException):
        await client.create_producer(topic, "taken")
    await client.create_producer(f"{topic}-partition-0", "taken")
