"""Dead letters and retries on real brokers."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from magnetar import Client, ConsumerDeadLetterPolicy, ConsumerType
from magnetar.dead_letters import DeadLetters
from magnetar.errors import AlreadyClosed
from magnetar.message import Message
from magnetar.outgoing import PayloadEncoder, with_checksum
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.scope import TaskScope

from tests.client.test_consumer import opened, rest, sent


class Made:
    """Stands for a producer."""

    ended = False

    async def close(self) -> None:
        self.ended = True

    def shutdown(self) -> None:
        self.ended = True


async def test_a_producer_that_is_made_while_it_closes_is_not_left_open() -> None:
    made, go_on = Made(), asyncio.Event()

    async def make(topic: str, **options: object) -> Any:
        await go_on.wait()
        return made

    letters = DeadLetters("t", "sub", ConsumerDeadLetterPolicy(2), make, TaskScope())
    making = asyncio.create_task(letters._producer("t-sub-DLQ"))
    await asyncio.sleep(0)
    await letters.close()
    go_on.set()
    with pytest.raises(AlreadyClosed):
        await making
    assert made.ended
    with pytest.raises(AlreadyClosed):  # nor is one made when it is closed
        await letters._producer("t-sub-DLQ")


async def test_what_fails_too_often_becomes_a_dead_letter(client: Client, topic: str) -> None:
    policy = ConsumerDeadLetterPolicy(2, initial_subscription_name="keep")
    consumer = await opened(
        client,
        topic,
        consumer_type=ConsumerType.Shared,
        negative_ack_redelivery_delay_ms=50,
        dead_letter_policy=policy,
    )
    ids = await sent(client, topic, 3, batched=False)
    seen: Counter[bytes] = Counter()
    while seen[b"1"] < 3 or sum(seen.values()) < 5:
        message = await consumer.receive(timeout=10)
        seen[message.data()] += 1
        if message.data() == b"1":
            await consumer.negative_acknowledge(message)
        else:
            await consumer.acknowledge(message)
    assert seen == {b"0": 1, b"1": 3, b"2": 1}
    letters = await client.subscribe(f"{topic}-sub-DLQ", "keep", consumer_type=ConsumerType.Shared)
    letter = await letters.receive(timeout=10)
    assert letter.data() == b"1"
    assert letter.properties() == {"REAL_TOPIC": topic, "ORIGIN_MESSAGE_ID": str(ids[1])}
    assert await rest(consumer) == []


async def test_later_again_and_in_the_end_a_dead_letter(client: Client, topic: str) -> None:
    policy = ConsumerDeadLetterPolicy(1, retry_letter_topic=f"{topic}-again")
    consumer = await opened(
        client, topic, consumer_type=ConsumerType.Shared, dead_letter_policy=policy
    )
    letters = await client.subscribe(f"{topic}-sub-DLQ", "keep")
    await sent(client, topic, 1, batched=False)
    first = await consumer.receive(timeout=10)
    await consumer.reconsume_later(first, 50, {"why": "busy"})
    again = await consumer.receive(timeout=10)
    assert again.topic_name() == f"{topic}-again"
    properties = again.properties()
    assert (properties["RECONSUMETIMES"], properties["why"]) == ("1", "busy")
    assert (properties["REAL_TOPIC"], properties["DELAY_TIME"]) == (topic, "50")
    await consumer.reconsume_later(again, 50)
    letter = await letters.receive(timeout=10)
    assert letter.properties()["RECONSUMETIMES"] == "2"
    assert await rest(consumer) == []


class Refused:
    """Stands for a consumer of a topic."""

    topic = "t"
    partition = -1
    closed = False

    def __init__(self) -> None:
        self.again: list[tuple[int, int]] = []

    def negative_acknowledge(self, place: tuple[int, int], redelivery_count: int) -> None:
        self.again.append(place)


async def test_a_bug_that_one_message_meets_is_logged_and_the_message_comes_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def make(topic: str, **options: object) -> Any:
        raise ValueError("a bug")

    source: Any = Refused()
    failures: list[BaseException] = []
    scope = TaskScope(failures.append)
    letters = DeadLetters("t", "sub", ConsumerDeadLetterPolicy(2), make, scope)
    message = Message(source, 1, 2, -1, 0, b"", api.MessageMetadata(), None, 3)
    letters.bury(source, [message])
    async with asyncio.timeout(10):
        while not source.again and not failures:
            await asyncio.sleep(0)
    assert (source.again, failures) == ([(1, 2)], [])
    [record] = caplog.records
    assert record.exc_info is not None
    await scope.close()


async def test_keys_that_are_no_utf_8(
    client: Client, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plain(encoder: PayloadEncoder, sequence_id: int, now_ms: int, content: bytes) -> bytes:
        head = encoder.metadata(sequence_id, now_ms, 0)
        head.ordering_key = b"\xfe"
        return with_checksum(head.SerializeToString() + b"\x32\x01\xff", content)

    consumer = await opened(
        client,
        topic,
        consumer_type=ConsumerType.Shared,
        negative_ack_redelivery_delay_ms=50,
        dead_letter_policy=ConsumerDeadLetterPolicy(1, initial_subscription_name="keep"),
    )
    other = await client.create_producer(f"{topic}-other")
    with monkeypatch.context() as patched:
        patched.setattr(PayloadEncoder, "plain", plain)
        await sent(client, topic, 1, batched=False)
    for _ in range(2):
        await consumer.negative_acknowledge(await consumer.receive(timeout=10))
    letters = await client.subscribe(f"{topic}-sub-DLQ", "keep", consumer_type=ConsumerType.Shared)
    letter = await letters.receive(timeout=10)
    assert (letter.partition_key(), letter.ordering_key()) == ("\ufffd", "\udcfe")
    assert await other.send(b"goes on")
