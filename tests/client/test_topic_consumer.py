"""Consumers whose broker goes away and comes back, and times that are due."""

import asyncio
import random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from magnetar import Client, Consumer, ConsumerType, InitialPosition, MessageId
from magnetar.consumer_options import ConsumerOptions
from magnetar.errors import (
    AuthenticationError,
    BrokerMetadataError,
    ConnectError,
    PulsarException,
    Timeout,
)
from magnetar.inbox import Inbox
from magnetar.outgoing import PayloadEncoder
from magnetar.topic_consumer import TopicConsumer
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import encode_command
from magnetar_runtime.scope import TaskScope

from bench.servers import Magnetar
from tests.client.test_consumer import numbers, opened, rest, sent

LOOKUP: Any = SimpleNamespace(rng=random.Random(1))


class Wire:
    """Stands for a connection to a broker that answers nothing."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.consumers: dict[int, object] = {}

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def next_request_id(self) -> int:
        return 7

    async def request(self, command: object, what: str, timeout_s: float) -> None:
        raise Timeout(what)


async def test_an_unreadable_batch_gives_back_all_the_permits_it_took() -> None:
    options = ConsumerOptions(subscription_name="sub", receiver_queue_size=10)
    nothing: Any = None
    consumer = TopicConsumer(
        "t", 1, options, None, bytes, Inbox(), None, LOOKUP, TaskScope(), 5, nothing
    )
    wire: Any = Wire()
    consumer.connection = wire
    payload = PayloadEncoder("n", 0, bytes, b"").batch(0, 9, 1, 10, b"no batch", None)
    command = api.CommandMessage(consumer_id=1, message_id=api.MessageIdData(ledgerId=1, entryId=2))
    for ack_set, permits in ([], 10), ([0b11111], 5):
        command.ack_set[:] = ack_set
        consumer.message(command, payload)
        flow = api.CommandFlow(consumer_id=1, messagePermits=permits)
        assert wire.sent[-1] == encode_command(flow)


async def test_two_who_receive_without_a_queue_both_get_a_message() -> None:
    options = ConsumerOptions(
        subscription_name="sub", receiver_queue_size=0, consumer_type=ConsumerType.Shared
    )
    inbox, nothing = Inbox(), cast(Any, None)
    source = TopicConsumer(
        "t", 1, options, None, bytes, inbox, None, LOOKUP, TaskScope(), 5, nothing
    )
    consumer = Consumer("t", options, inbox, None, nothing)
    consumer.add(source)
    wire: Any = Wire()
    source.connection = wire
    receiving = [asyncio.create_task(consumer.receive()) for _ in range(2)]
    payload = PayloadEncoder("n", 0, bytes, b"").plain(1, 2, b"x")
    for entry_id in range(2):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(wire.sent) == entry_id + 1  # one permit for each
        place = api.MessageIdData(ledgerId=1, entryId=entry_id)
        source.message(api.CommandMessage(consumer_id=1, message_id=place), payload)
    async with asyncio.timeout(5):
        await asyncio.gather(*receiving)


class AnswerWire(Wire):
    """Stands for a connection whose broker answers when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def request(self, command: object, what: str, timeout_s: float) -> None:
        await self.answer

    def lose(self, source: TopicConsumer, error: PulsarException) -> None:
        self.closed = True
        self.answer.set_exception(error)
        source.link_lost(cast(Any, self))


class Unsubscribing:
    """A consumer of one topic or more in the midst of `unsubscribe`."""

    def __init__(self, *wires: Wire) -> None:
        options, nothing = ConsumerOptions(subscription_name="sub"), cast(Any, None)
        self.scope = TaskScope()
        self.consumer = Consumer("t", options, Inbox(), None, lambda _: None)
        self.sources = [
            TopicConsumer(
                f"t{n}", n, options, None, bytes, Inbox(), None, LOOKUP, self.scope, 5, nothing
            )
            for n in range(len(wires))
        ]
        for source, wire in zip(self.sources, wires, strict=True):
            self.consumer.add(source)
            source._set_attached(cast(Any, wire))
        self.task = asyncio.create_task(self.consumer.unsubscribe())

    @property
    def attaching(self) -> list[bool]:
        return [source._reattaching is not None for source in self.sources]


async def test_without_an_answer_to_unsubscribe_it_ends() -> None:
    wire = Wire()
    ending = Unsubscribing(wire)
    with pytest.raises(Timeout):
        await ending.task
    assert ending.sources[0].closed  # it would make the subscription anew
    assert ending.consumer.closed
    close = api.CommandCloseConsumer(consumer_id=0, request_id=7)
    assert wire.sent == [encode_command(close)]


@pytest.mark.parametrize("error", [ConnectError("cut"), AuthenticationError("no new proof")])
async def test_a_connection_lost_while_unsubscribing_makes_nothing_anew(
    error: PulsarException,
) -> None:
    lost, slow = AnswerWire(), AnswerWire()
    ending = Unsubscribing(lost, slow)
    await asyncio.sleep(0.01)
    lost.lose(ending.sources[0], error)
    await asyncio.sleep(0.15)  # longer than the first wait before it would attach again
    assert ending.attaching == [False, False]
    assert not ending.task.done()  # the other topic has its answer yet to come
    slow.answer.set_result(None)
    with pytest.raises(ConnectError):
        await ending.task
    assert ending.consumer.closed
    assert all(source.closed for source in ending.sources)


async def test_closed_by_the_broker_while_unsubscribing_it_waits_for_the_answer() -> None:
    wire = AnswerWire()
    ending = Unsubscribing(wire)
    await asyncio.sleep(0.01)
    ending.sources[0].link_lost(cast(Any, wire))  # as brokers do to all whose topic moves
    assert ending.attaching == [False]
    wire.answer.set_result(None)
    await ending.task
    assert ending.attaching == [False]
    assert ending.consumer.closed


async def test_refused_to_unsubscribe_it_goes_on() -> None:
    wire = AnswerWire()
    ending = Unsubscribing(wire)
    await asyncio.sleep(0.01)
    ending.sources[0].link_lost(cast(Any, wire))
    wire.answer.set_exception(BrokerMetadataError("not now"))
    with pytest.raises(BrokerMetadataError):
        await ending.task
    assert ending.attaching == [True]
    assert not ending.consumer.closed
    ending.consumer.shutdown()
    await ending.scope.close()


async def test_after_a_kill_it_goes_on(own_server: Magnetar) -> None:
    await asyncio.to_thread(own_server.start)
    async with Client(own_server.service_url) as client:
        await sent(client, "t", 20, batched=False)
        consumer = await opened(client, "t", receiver_queue_size=5, ack_receipt_enabled=True)
        reader = await client.create_reader("t", MessageId.earliest, receiver_queue_size=5)
        for number in range(8):
            message = await consumer.receive(timeout=10)
            assert int(message.data()) == number
            await consumer.acknowledge(message)
            assert int((await reader.read_next(timeout=10)).data()) == number
        own_server.kill()
        receiving = asyncio.create_task(rest(consumer))
        await asyncio.to_thread(own_server.start)
        found = await receiving or await rest(consumer)
        async with asyncio.timeout(30):
            while not found or found[-1] != 19:
                found += await rest(consumer)
        # Acknowledgements are kept now and then: what came may come again, in order.
        assert [each for each in dict.fromkeys(found) if each >= 8] == list(range(8, 20))
        assert [int((await reader.read_next(timeout=10)).data()) for _ in range(12)] == list(
            range(8, 20)
        )


async def test_acknowledgements_and_receives_survive_a_cut(client: Client, topic: str) -> None:
    consumer = await opened(client, topic, consumer_type=ConsumerType.Shared)
    ids = await sent(client, topic, 10, batched=False)
    messages = [await consumer.receive(timeout=10) for _ in range(4)]
    waiting = asyncio.create_task(numbers(consumer, 6))
    await waiting
    [source] = consumer.sources.values()
    assert source.connection is not None
    for message in messages:
        await consumer.acknowledge(message)
    source.connection.abort(ConnectError("cut by the test"))
    await consumer.acknowledge(ids[4])
    found = await rest(consumer) or await rest(consumer)
    assert sorted(set(found)) == [5, 6, 7, 8, 9] or sorted(set(found)) == list(range(10))
    await consumer.close()


async def test_what_nobody_acknowledges_comes_again(client: Client, topic: str) -> None:
    consumer = await client.subscribe(
        topic,
        "sub",
        ConsumerType.Shared,
        initial_position=InitialPosition.Earliest,
        unacked_messages_timeout_ms=10_000,
    )
    [source] = consumer.sources.values()
    source._due.ack_timeout_s = 0.2  # less than users may ask for
    await sent(client, topic, 3, batched=False)
    messages = [await consumer.receive(timeout=10) for _ in range(3)]
    await consumer.acknowledge(messages[1])
    again = [await consumer.receive(timeout=10) for _ in range(2)]
    assert sorted(each.data() for each in again) == [b"0", b"2"]
    assert {each.redelivery_count() for each in again} == {1}
    for message in again:
        await consumer.acknowledge(message)
    assert await rest(consumer) == []


async def test_a_cut_while_seeking_leaves_it_usable(client: Client, topic: str) -> None:
    consumer = await opened(client, topic)
    await sent(client, topic, 5)
    assert await numbers(consumer, 5) == list(range(5))
    [source] = consumer.sources.values()
    assert source.connection is not None
    seeking = asyncio.create_task(consumer.seek(MessageId.earliest))
    await asyncio.sleep(0)
    source.connection.abort(ConnectError("cut by the test"))
    await asyncio.gather(seeking, return_exceptions=True)
    await consumer.seek(MessageId.earliest)
    assert await numbers(consumer, 5) == list(range(5))


async def test_a_cut_while_unsubscribing_ends_it(client: Client, topic: str) -> None:
    consumer = await opened(client, topic)
    [source] = consumer.sources.values()
    assert source.connection is not None
    unsubscribing = asyncio.create_task(consumer.unsubscribe())
    while not source._unsubscribing:
        await asyncio.sleep(0)
    source.connection.abort(ConnectError("cut by the test"))
    with pytest.raises(ConnectError, match="lost while it unsubscribed"):
        await unsubscribing
    assert consumer.closed
    await asyncio.sleep(0.3)  # it would attach again within 0.1 s
    other = await opened(client, topic)  # exclusive: nobody else is there
    await other.unsubscribe()
