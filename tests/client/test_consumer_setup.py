"""Consumers of several topics on real brokers."""

import asyncio
import re
from collections.abc import Callable

import pytest
from magnetar import Client, InitialPosition, MessageId
from magnetar.consumer_setup import ConsumerSetup
from magnetar.errors import (
    ConsumerBusy,
    InvalidConfiguration,
    OperationNotSupported,
    PulsarException,
    Timeout,
)
from magnetar.topic_consumer import TopicConsumer
from magnetar.topic_pattern import TopicPattern

from tests.client.test_producer import received


async def test_several_topics(client: Client, new_topic: Callable[[], str]) -> None:
    topics = [new_topic() for _ in range(3)]
    consumer = await client.subscribe(topics, "sub", initial_position=InitialPosition.Earliest)
    for topic in topics:
        await (await client.create_producer(topic)).send(topic.encode())
    messages = [await consumer.receive(timeout=10) for _ in topics]
    assert {each.topic_name() for each in messages} == set(topics)
    for message in messages:
        assert message.data().decode() == message.topic_name()
        kept = message.message_id()
        await consumer.acknowledge(MessageId.deserialize(kept.serialize(), kept.topic_name()))
    with pytest.raises(InvalidConfiguration, match="topic"):
        await consumer.acknowledge(MessageId.deserialize(messages[0].message_id().serialize()))
    with pytest.raises(OperationNotSupported):
        await consumer.get_last_message_id()
    assert len(await consumer.get_last_message_ids()) == 3
    await consumer.seek(MessageId.earliest)
    assert len(await received(consumer, 3)) == 3
    assert consumer.topic() == ",".join(topics)


async def test_a_pattern_finds_topics_that_come_later(client: Client, topic: str) -> None:
    first = await client.create_producer(f"{topic}-a")
    consumer = await client.subscribe(
        re.compile(f"{topic}-.*"),
        "sub",
        initial_position=InitialPosition.Earliest,
        pattern_auto_discovery_period=0.1,
    )
    await first.send(b"a")
    assert await received(consumer, 1) == [b"a"]
    later = await client.create_producer(f"{topic}-b")
    await later.send(b"b")
    assert await received(consumer, 1) == [b"b"]
    await consumer.close()
    await asyncio.sleep(0)
    names = [task.get_name() for task in asyncio.all_tasks()]
    assert not [name for name in names if name.startswith("topics of")]


async def test_of_topics_that_come_a_busy_one_costs_only_itself(
    client: Client, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, refused = TopicConsumer.open, []

    async def refuse_a(source: TopicConsumer, timeout_s: float) -> None:
        if source.topic.endswith("-a") and len(refused) < 2:
            refused.append(source.topic)
            raise ConsumerBusy("another instance has it still")
        await opening(source, timeout_s)

    producers = [await client.create_producer(f"{topic}-{each}") for each in "abc"]
    monkeypatch.setattr(TopicConsumer, "open", refuse_a)
    matching = ConsumerSetup._matching
    monkeypatch.setattr(ConsumerSetup, "_matching", none)  # until it is open
    consumer = await client.subscribe(
        re.compile(f"{topic}-.*"),
        "sub",
        initial_position=InitialPosition.Earliest,
        pattern_auto_discovery_period=0.2,
        max_total_receiver_queue_size_across_partitions=30,
    )
    monkeypatch.setattr(ConsumerSetup, "_matching", matching)
    for producer in producers[1:]:
        await producer.send(b"bc")
    assert await received(consumer, 2) == [b"bc", b"bc"]
    await producers[0].send(b"a")
    assert await received(consumer, 1) == [b"a"]
    assert len(refused) == 2
    assert {each.options.receiver_queue_size for each in consumer.sources.values()} == {10}


async def none(setup: ConsumerSetup, pattern: TopicPattern) -> list[str]:
    return []


async def test_a_pause_holds_for_topics_that_come_later(client: Client, topic: str) -> None:
    consumer = await client.subscribe(
        re.compile(f"{topic}-.*"),
        "sub",
        initial_position=InitialPosition.Earliest,
        pattern_auto_discovery_period=0.1,
    )
    consumer.pause()
    await (await client.create_producer(f"{topic}-a")).send(b"a")
    async with asyncio.timeout(10):
        while not consumer.sources:
            await asyncio.sleep(0.02)
    with pytest.raises(Timeout):
        await consumer.receive(timeout=0.5)
    consumer.resume()
    assert await received(consumer, 1) == [b"a"]


async def test_all_topics_or_none(client: Client, new_topic: Callable[[], str]) -> None:
    topics = [new_topic() for _ in range(2)]
    other = await client.subscribe(topics[1], "sub")
    with pytest.raises(PulsarException):
        await client.subscribe(topics, "sub")
    await (await client.subscribe(topics[0], "sub")).close()
    await other.close()
    with pytest.raises(InvalidConfiguration, match="without a queue"):
        await client.subscribe(topics, "sub", receiver_queue_size=0)


async def test_a_cancelled_subscribe_leaves_nothing(client: Client, topic: str) -> None:
    task = asyncio.create_task(client.subscribe(topic, "sub"))
    await asyncio.sleep(0.002)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(10):
        await client.subscribe(topic, "sub")
