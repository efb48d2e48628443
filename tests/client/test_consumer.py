"""Consumers on real brokers."""

import asyncio
from typing import Any

import pytest
from magnetar import (
    Client,
    Consumer,
    ConsumerBatchReceivePolicy,
    ConsumerKeySharedPolicy,
    ConsumerType,
    InitialPosition,
    KeySharedMode,
    MessageId,
    Producer,
    Timeout,
)
from magnetar.errors import (
    AlreadyClosed,
    CumulativeAcknowledgementNotAllowedError,
    OperationNotSupported,
)

from bench.servers import ApachePulsar, Server

both_ways = pytest.mark.parametrize("batched", [False, True], ids=["single", "batched"])
SILENCE_S = 0.5


async def opened(client: Client, topic: str, **options: Any) -> Consumer:
    options = {"initial_position": InitialPosition.Earliest, **options}
    return await client.subscribe(topic, "sub", **options)


async def sent(client: Client, topic: str, count: int, batched: bool = True) -> list[MessageId]:
    producer = await client.create_producer(topic, batching_enabled=batched)
    futures = [producer.send_nowait(b"%d" % number) for number in range(count)]
    ids = [await future for future in futures]
    await producer.close()
    return ids


async def numbers(consumer: Consumer, count: int) -> list[int]:
    return [int((await consumer.receive(timeout=15)).data()) for _ in range(count)]


async def rest(consumer: Consumer) -> list[int]:
    found = []
    while True:
        try:
            found.append(int((await consumer.receive(timeout=SILENCE_S)).data()))
        except Timeout:
            return found


async def test_a_cancelled_receive_swallows_nothing(client: Client, topic: str) -> None:
    consumer = await opened(client, topic)
    producer = await client.create_producer(topic)
    for number in range(20):
        waiting = [asyncio.create_task(consumer.receive()) for _ in range(3)]
        await asyncio.sleep(0)
        future = producer.send_nowait(b"%d" % number)
        if number % 2:
            await future
        for task in waiting:
            task.cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        taken = [each for each in results if not isinstance(each, BaseException)]
        if not taken:
            message = await consumer.receive(timeout=10)
        else:
            [message] = taken
        assert message.data() == b"%d" % number


async def test_a_receive_that_times_out_swallows_nothing(client: Client, topic: str) -> None:
    consumer = await opened(client, topic)
    with pytest.raises(Timeout, match=r"no message in 0\.05 s"):
        await consumer.receive(50)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(consumer.receive(), 0.05)
    await sent(client, topic, 2)
    assert await numbers(consumer, 2) == [0, 1]


@both_ways
async def test_acknowledged_ones_do_not_come_again(
    client: Client, topic: str, batched: bool
) -> None:
    await sent(client, topic, 10, batched)
    consumer = await opened(client, topic)
    messages = [await consumer.receive(timeout=10) for _ in range(10)]
    await consumer.acknowledge_cumulative(messages[3])
    for message in messages[4:6]:
        await consumer.acknowledge(message.message_id())
    await consumer.close()
    consumer = await opened(client, topic)
    if batched:  # the batch is not done, and single messages of it are not told
        assert await rest(consumer) == list(range(10))
    else:
        assert await rest(consumer) == [6, 7, 8, 9]


@pytest.mark.parametrize("kind", [ConsumerType.Exclusive, ConsumerType.Shared])
async def test_single_messages_of_a_batch(client: Client, topic: str, kind: ConsumerType) -> None:
    await sent(client, topic, 10)
    options = {"batch_index_ack_enabled": True, "consumer_type": kind, "ack_receipt_enabled": True}
    consumer = await opened(client, topic, **options)
    messages = [await consumer.receive(timeout=10) for _ in range(10)]
    await asyncio.gather(*[consumer.acknowledge(each) for each in messages[::2]])
    await consumer.close()
    consumer = await opened(client, topic, **options)
    assert await rest(consumer) == [1, 3, 5, 7, 9]


async def test_negative_acknowledgements(client: Client, topic: str) -> None:
    consumer = await opened(
        client, topic, consumer_type=ConsumerType.Shared, negative_ack_redelivery_delay_ms=100
    )
    await sent(client, topic, 3, batched=False)
    for _ in range(3):
        message = await consumer.receive(timeout=10)
        if message.data() == b"1":
            await consumer.negative_acknowledge(message)
        else:
            await consumer.acknowledge(message)
    again = await consumer.receive(timeout=10)
    assert (again.data(), again.redelivery_count()) == (b"1", 1)
    await consumer.acknowledge(again)
    assert await rest(consumer) == []


async def test_all_that_is_not_acknowledged_again(
    client: Client, topic: str, server: Server
) -> None:
    consumer = await opened(client, topic, receiver_queue_size=4)
    await sent(client, topic, 10, batched=False)
    assert await numbers(consumer, 5) == [0, 1, 2, 3, 4]
    await consumer.redeliver_unacknowledged_messages()
    again: list[int] = []
    while len(set(again)) < 10:
        again += await numbers(consumer, 1)
    assert list(dict.fromkeys(again)) == list(range(10))
    # Apache Pulsar began twice once in many runs: 0, 1, 2, 3, 0, 1 and so on.
    assert len(again) == 10 or isinstance(server, ApachePulsar)


@pytest.mark.parametrize("size", [0, 1, 3])
async def test_small_queues(client: Client, topic: str, size: int) -> None:
    consumer = await opened(client, topic, receiver_queue_size=size)
    other = await client.subscribe(topic, "other")
    await sent(client, topic, 20, batched=False)
    await other.receive(timeout=10)
    await asyncio.sleep(0.1)
    assert len(consumer.inbox) <= size
    assert await numbers(consumer, 20) == list(range(20))


async def test_without_a_queue_a_cancelled_receive_is_not_lost(client: Client, topic: str) -> None:
    consumer = await opened(client, topic, receiver_queue_size=0)
    with pytest.raises(Timeout):
        await consumer.receive(timeout=0.05)
    await sent(client, topic, 3, batched=False)
    assert await numbers(consumer, 3) == [0, 1, 2]


async def test_batch_receive(client: Client, topic: str) -> None:
    policy = ConsumerBatchReceivePolicy(max_num_message=7, timeout_ms=500)
    consumer = await opened(client, topic, batch_receive_policy=policy)
    await sent(client, topic, 10)
    sizes = [len(await consumer.batch_receive()) for _ in range(3)]
    assert sizes == [7, 3, 0]


async def test_for_loops_end_when_the_consumer_does(client: Client, topic: str) -> None:
    await sent(client, topic, 3)
    found = []
    async with await opened(client, topic) as consumer:
        async for message in consumer:
            found.append(int(message.data()))
            if len(found) == 3:
                await consumer.close()
    assert found == [0, 1, 2]
    with pytest.raises(AlreadyClosed):
        await consumer.receive()


@both_ways
async def test_seek(client: Client, topic: str, batched: bool) -> None:
    ids = await sent(client, topic, 10, batched)
    consumer = await opened(client, topic)
    first = await consumer.receive(timeout=10)
    await consumer.seek(ids[4])
    assert await numbers(consumer, 5) == [5, 6, 7, 8, 9]
    await consumer.seek(MessageId.earliest)
    assert await numbers(consumer, 10) == list(range(10))
    await consumer.seek(MessageId.latest)
    await sent(client, topic, 1)
    assert await numbers(consumer, 1) == [0]
    await consumer.seek(first.publish_timestamp())
    assert await numbers(consumer, 10) == list(range(10))


async def test_pause(client: Client, topic: str) -> None:
    consumer = await opened(client, topic, receiver_queue_size=2)
    consumer.pause()
    await sent(client, topic, 10, batched=False)
    got = await rest(consumer)
    assert got == list(range(len(got)))
    assert len(got) <= 3
    consumer.resume()
    assert await rest(consumer) == list(range(len(got), 10))


async def test_unsubscribe(client: Client, topic: str) -> None:
    consumer = await opened(client, topic)
    await sent(client, topic, 1)
    assert await numbers(consumer, 1) == [0]
    await consumer.unsubscribe()
    consumer = await opened(client, topic, initial_position=InitialPosition.Latest)
    assert await rest(consumer) == []


async def test_the_last_message(client: Client, topic: str) -> None:
    consumer = await opened(client, topic)
    assert (await consumer.get_last_message_id()).entry_id() == -1
    ids = await sent(client, topic, 3)
    assert await consumer.get_last_message_id() == ids[-1]


async def test_what_is_not_possible(client: Client, topic: str) -> None:
    shared = await opened(client, topic, consumer_type=ConsumerType.Shared)
    await sent(client, topic, 1)
    message = await shared.receive(timeout=10)
    with pytest.raises(CumulativeAcknowledgementNotAllowedError):
        await shared.acknowledge_cumulative(message)
    with pytest.raises(OperationNotSupported):
        await shared.reconsume_later(message, 10)


async def test_keys_go_to_their_consumers(client: Client, topic: str) -> None:
    half = 1 << 15
    policies = [
        ConsumerKeySharedPolicy(KeySharedMode.Sticky, sticky_ranges=[(0, half - 1)]),
        ConsumerKeySharedPolicy(KeySharedMode.Sticky, sticky_ranges=[(half, 2 * half - 1)]),
    ]
    consumers = [
        await opened(client, topic, consumer_type=ConsumerType.KeyShared, key_shared_policy=policy)
        for policy in policies
    ]
    producer: Producer = await client.create_producer(topic, batching_enabled=False)
    for number in range(40):
        await producer.send(b"%d" % number, partition_key=f"key-{number % 8}")
    shares = [await rest(consumer) for consumer in consumers]
    assert sorted(shares[0] + shares[1]) == list(range(40))
    assert not {each % 8 for each in shares[0]} & {each % 8 for each in shares[1]}
    assert all(share == sorted(share) for share in shares)


async def test_the_end_of_its_only_topic_is_told(client: Client, new_topic: Any) -> None:
    topics = [new_topic(), new_topic()]
    consumer = await opened(client, topics)
    waiting = asyncio.create_task(consumer.receive())
    await asyncio.sleep(0)
    first, second = consumer.sources.values()
    first.fail(OperationNotSupported("gone"))
    await sent(client, second.topic, 1)
    assert (await waiting).data() == b"0"  # the other goes on
    waiting = asyncio.create_task(consumer.receive())
    await asyncio.sleep(0)
    second.fail(OperationNotSupported("gone too"))
    with pytest.raises(OperationNotSupported, match="gone too"):
        await waiting
