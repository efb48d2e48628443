"""Calls of the SDK, cancelled at each step of each of their tasks.

The CancelledError comes out; no task, request, permit, producer or consumer is left over, neither
here nor at the broker; no message is lost; and the client works as before.
"""

import asyncio
from typing import Any

import pytest
from magnetar import (
    ConsumerBatchReceivePolicy,
    ConsumerDeadLetterPolicy,
    ConsumerType,
    MessageId,
)
from magnetar.errors import AlreadyClosed

from tests.sim.sdk_cancellation import TOPIC, Call, Stage, every_cut


async def nothing(stage: Stage) -> None:
    """No preparation."""


async def with_consumer(stage: Stage) -> Any:
    await stage.publish(3)
    return await stage.subscribe(
        receiver_queue_size=2,
        ack_receipt_enabled=True,
        batch_receive_policy=ConsumerBatchReceivePolicy(2, 0, 0),
    )


async def with_empty_consumer(stage: Stage) -> Any:
    """Its messages come while it waits."""
    consumer = await with_consumer(stage)
    await stage.rest(consumer)

    async def later() -> None:
        await asyncio.sleep(0.001)
        await stage.publish(2)

    stage.beside = asyncio.create_task(later())
    return consumer


async def works(stage: Stage) -> None:
    """Messages go through the same client."""
    if stage.beside is not None:
        await stage.beside
    await stage.publish(1)
    consumer = stage.consumer or await stage.subscribe()
    await stage.rest(consumer)
    await consumer.close()


# Receiving.


async def receive(stage: Stage, consumer: Any) -> None:
    stage.got.append((await consumer.receive()).data().decode())


async def receive_in_time(stage: Stage, consumer: Any) -> None:
    stage.got.append((await consumer.receive(timeout=5)).data().decode())


async def receive_batch(stage: Stage, consumer: Any) -> None:
    stage.got += [each.data().decode() for each in await consumer.batch_receive()]


async def goes_on(stage: Stage, consumer: Any, cancelled: bool) -> None:
    stage.consumer = consumer
    await works(stage)


# Acknowledging, seeking, asking.


async def acknowledge(stage: Stage, consumer: Any) -> None:
    message = await consumer.receive()
    stage.got.append(message.data().decode())
    await consumer.acknowledge(message)


async def seek(stage: Stage, consumer: Any) -> None:
    await consumer.seek(MessageId.earliest)


async def after_seek(stage: Stage, consumer: Any, cancelled: bool) -> None:
    stage.got.clear()
    await consumer.seek(MessageId.earliest)
    await goes_on(stage, consumer, cancelled)


async def last_id(stage: Stage, consumer: Any) -> None:
    await consumer.get_last_message_id()


# Unsubscribing, and putting off.


async def unsubscribe(stage: Stage, consumer: Any) -> None:
    await consumer.unsubscribe()


async def has_ended(stage: Stage, consumer: Any, cancelled: bool) -> None:
    if not consumer.closed:
        assert cancelled  # before it began
        await goes_on(stage, consumer, cancelled)
        return
    with pytest.raises(AlreadyClosed):
        await consumer.receive(timeout=5)
    await works(stage)


async def with_retries(stage: Stage) -> Any:
    await stage.publish(3)
    policy = ConsumerDeadLetterPolicy(2, retry_letter_topic=f"{TOPIC}-retry")
    return await stage.subscribe(
        consumer_type=ConsumerType.Shared, dead_letter_policy=policy, ack_receipt_enabled=True
    )


async def reconsume_later(stage: Stage, consumer: Any) -> None:
    message = await consumer.receive()
    stage.got.append(message.data().decode())
    await consumer.reconsume_later(message, 10)


# Sending.


async def with_producers(stage: Stage) -> Any:
    """One with batches, one whose queue holds one message."""
    batched = await stage.client.create_producer(TOPIC, "batched")
    narrow = await stage.client.create_producer(
        TOPIC, "narrow", batching_enabled=False, max_pending_messages=1, block_if_queue_full=True
    )
    return batched, narrow


async def send(stage: Stage, producers: Any) -> None:
    batched, narrow = producers
    await batched.send(b"x")
    narrow.send_nowait(b"y")
    await narrow.send(b"z")
    batched.send_nowait(b"x")
    await batched.flush()


async def sends_on(stage: Stage, producers: Any, cancelled: bool) -> None:
    for producer in producers:
        await producer.send(b"last")
        await producer.flush()
    consumer = await stage.subscribe()
    texts = ""
    while texts.count("last") < 2:
        texts += (await consumer.receive(timeout=20)).data().decode()
    assert not cancelled or texts.replace("last", "") in ("", "x", "xy", "xyz", "xyzx")
    for producer in producers:
        await producer.close()
    await consumer.close()


async def close_producers(stage: Stage, producers: Any) -> None:
    for producer in producers:
        sent = producer.send_nowait(b"x")
        sent.add_done_callback(asyncio.Future.exception)  # AlreadyClosed, if it was cancelled
        await producer.close()


async def producers_are_closed(stage: Stage, producers: Any, cancelled: bool) -> None:
    for producer in producers:
        await producer.close()
        again = await stage.client.create_producer(TOPIC, producer.producer_name())
        await again.send(b"x")
        await again.close()


# Opening.


async def create_producer(stage: Stage, _: Any) -> None:
    await stage.client.create_producer(TOPIC, "new")


async def producer_can_be_created(stage: Stage, _: Any, cancelled: bool) -> None:
    if cancelled:
        await stage.client.create_producer(TOPIC, "new")
    await works(stage)


async def subscribe(stage: Stage, _: Any) -> None:
    stage.consumer = await stage.subscribe()


async def subscribe_many(stage: Stage, _: Any) -> None:
    many = await stage.client.subscribe([TOPIC, f"{TOPIC}-2"], "many")
    await many.close()


async def can_subscribe(stage: Stage, _: Any, cancelled: bool) -> None:
    await works(stage)
    many = await stage.client.subscribe([TOPIC, f"{TOPIC}-2"], "many")
    await many.close()


async def read(stage: Stage, _: Any) -> None:
    async with await stage.client.create_reader(TOPIC, MessageId.earliest) as reader:
        while await reader.has_message_available():
            await reader.read_next()


async def view(stage: Stage, _: Any) -> None:
    async with await stage.client.create_table_view(TOPIC):
        pass


async def with_messages(stage: Stage) -> None:
    await stage.publish(3)


async def still_works(stage: Stage, _: Any, cancelled: bool) -> None:
    await works(stage)


# Closing.


async def close_consumer(stage: Stage, consumer: Any) -> None:
    await consumer.close()


async def consumer_is_closed(stage: Stage, consumer: Any, cancelled: bool) -> None:
    await consumer.close()
    await works(stage)


async def close_client(stage: Stage, _: Any) -> None:
    sent = stage.producer.send_nowait(b"x")
    try:
        await stage.client.close()
    finally:
        sent.add_done_callback(asyncio.Future.exception)  # AlreadyClosed, if it was cancelled


async def client_is_closed(stage: Stage, _: Any, cancelled: bool) -> None:
    await stage.client.close()


CALLS = {
    "receive": Call(with_empty_consumer, receive, goes_on),
    "receive_in_time": Call(with_empty_consumer, receive_in_time, goes_on),
    "receive_batch": Call(with_empty_consumer, receive_batch, goes_on),
    "acknowledge": Call(with_consumer, acknowledge, goes_on),
    "seek": Call(with_consumer, seek, after_seek),
    "last_id": Call(with_consumer, last_id, goes_on),
    "unsubscribe": Call(with_consumer, unsubscribe, has_ended),
    "reconsume_later": Call(with_retries, reconsume_later, goes_on),
    "send": Call(with_producers, send, sends_on),
    "close_producers": Call(with_producers, close_producers, producers_are_closed),
    "create_producer": Call(nothing, create_producer, producer_can_be_created),
    "subscribe": Call(with_messages, subscribe, still_works),
    "subscribe_many": Call(with_messages, subscribe_many, can_subscribe),
    "read": Call(with_messages, read, still_works),
    "view": Call(with_messages, view, still_works),
    "close_consumer": Call(with_consumer, close_consumer, consumer_is_closed),
    "close_client": Call(with_consumer, close_client, client_is_closed),
}


@pytest.mark.parametrize("name", CALLS)
def test_cancelled_at_each_step(name: str) -> None:
    cuts, hit = every_cut(CALLS[name])
    print(f"{name}: cancelled at {hit} of {cuts} places")
    assert hit >= 2
