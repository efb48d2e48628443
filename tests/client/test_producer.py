"""Producers on real brokers."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from magnetar import (
    BatchingType,
    Client,
    CompressionType,
    Consumer,
    ConsumerType,
    InitialPosition,
    MessageId,
    ProducerAccessMode,
    PulsarException,
)
from magnetar.errors import MessageTooBig, ProducerQueueIsFull
from magnetar.schema import JsonSchema, Record, String

both_ways = pytest.mark.parametrize("batched", [False, True], ids=["single", "batched"])


async def consumer_of(client: Client, topic: str, **options: Any) -> Consumer:
    return await client.subscribe(
        topic, "sub", initial_position=InitialPosition.Earliest, **options
    )


async def received(consumer: Consumer, count: int) -> list[bytes]:
    found = []
    for _ in range(count):
        message = await consumer.receive(timeout=15)
        await consumer.acknowledge(message)
        found.append(message.data())
    return found


@both_ways
async def test_many_under_way_come_in_order(client: Client, topic: str, batched: bool) -> None:
    consumer = await consumer_of(client, topic)
    producer = await client.create_producer(
        topic, batching_enabled=batched, max_pending_messages=3000
    )
    futures = [producer.send_nowait(b"%d" % number) for number in range(2000)]
    await producer.flush()
    ids = [future.result() for future in futures]
    assert ids == sorted(ids)
    assert len(set(ids)) == 2000
    assert producer.last_sequence_id() == 1999
    assert await received(consumer, 2000) == [b"%d" % number for number in range(2000)]


@pytest.mark.parametrize("kind", list(CompressionType))
async def test_compression(client: Client, topic: str, kind: CompressionType) -> None:
    consumer = await consumer_of(client, topic)
    contents = [b"content " * 100 + b"%d" % number for number in range(5)]
    for batched in (False, True):
        producer = await client.create_producer(
            topic, batching_enabled=batched, compression_type=kind
        )
        await asyncio.gather(*map(producer.send, contents))
        assert await received(consumer, 5) == contents


async def test_a_lone_message_does_not_wait_for_a_batch(client: Client, topic: str) -> None:
    producer = await client.create_producer(topic, batching_max_publish_delay_ms=60_000)
    async with asyncio.timeout(20):
        for _ in range(3):
            await producer.send(b"x")


async def test_batches_by_key_and_what_is_not_batched(client: Client, topic: str) -> None:
    consumer = await consumer_of(client, topic, consumer_type=ConsumerType.Shared)
    producer = await client.create_producer(topic, batching_type=BatchingType.KeyBased)
    futures = [
        producer.send_nowait(b"%d" % number, partition_key=f"k{number % 2}") for number in range(6)
    ]
    later = producer.send_nowait(b"later", deliver_after=timedelta(milliseconds=300))
    ids = [await future for future in futures]
    assert len({each.entry_id() for each in ids}) == 2
    assert (await later).batch_index() == -1
    assert sorted(await received(consumer, 6)) == [b"%d" % number for number in range(6)]
    assert await received(consumer, 1) == [b"later"]


async def test_callbacks(client: Client, topic: str) -> None:
    producer = await client.create_producer(topic)
    results: list[tuple[PulsarException | None, MessageId | None]] = []
    producer.send_async(b"x", lambda error, message_id: results.append((error, message_id)))
    await producer.flush()
    await asyncio.sleep(0)
    [(error, message_id)] = results
    assert error is None
    assert isinstance(message_id, MessageId)


async def test_a_full_queue_raises_or_waits(client: Client, topic: str) -> None:
    producer = await client.create_producer(topic, max_pending_messages=10)
    futures = [producer.send_nowait(b"x") for _ in range(10)]
    with pytest.raises(ProducerQueueIsFull):
        producer.send_nowait(b"x")
    await asyncio.gather(*futures)
    waits = await client.create_producer(topic, max_pending_messages=10, block_if_queue_full=True)
    cancelled = [asyncio.create_task(waits.send(b"c")) for _ in range(50)]
    await asyncio.sleep(0)
    for task in cancelled[20:]:
        task.cancel()
    await asyncio.wait_for(asyncio.gather(*[waits.send(b"x") for _ in range(100)]), 30)
    assert sum(task.cancelled() for task in cancelled) == 30


async def test_large_messages_are_refused_or_cut(client: Client, topic: str) -> None:
    content = bytes(range(256)) * 48_000  # 12 MB
    producer = await client.create_producer(topic)
    with pytest.raises(MessageTooBig):
        await producer.send(content)
    await producer.send(b"the producer goes on")
    consumer = await consumer_of(client, topic)
    cutting = await client.create_producer(topic, batching_enabled=False, chunking_enabled=True)
    sent = await cutting.send(content)
    assert await received(consumer, 1) == [b"the producer goes on"]
    message = await consumer.receive(timeout=20)
    assert message.data() == content
    assert message.message_id() == sent
    first = sent.first_chunk()
    assert first is not None
    assert first < sent


async def test_a_schema(client: Client, topic: str) -> None:
    class Name(Record):
        name = String()

    consumer = await consumer_of(client, topic, schema=JsonSchema(Name))
    producer = await client.create_producer(topic, schema=JsonSchema(Name))
    await producer.send(Name(name="x"))
    message = await consumer.receive(timeout=10)
    assert message.value().name == "x"
    plain = await client.create_producer(topic + "-plain")
    with pytest.raises(TypeError, match="not bytes"):
        await plain.send("text")


async def test_access_modes(client: Client, topic: str) -> None:
    alone = await client.create_producer(topic, access_mode=ProducerAccessMode.Exclusive)
    with pytest.raises(PulsarException):
        await client.create_producer(topic, access_mode=ProducerAccessMode.Exclusive)
    waiting = asyncio.create_task(
        client.create_producer(topic, access_mode=ProducerAccessMode.WaitForExclusive)
    )
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await alone.close()
    async with asyncio.timeout(10):
        await (await waiting).send(b"x")


async def test_names_and_numbers_of_the_users_own(
    client: Client, new_topic: Callable[[], str]
) -> None:
    topic = new_topic()
    producer = await client.create_producer(topic, "own", initial_sequence_id=41)
    assert producer.producer_name() == "own"
    await producer.send(b"x")
    assert producer.last_sequence_id() == 42
    await producer.send(b"x", sequence_id=100)
    assert producer.last_sequence_id() == 100
