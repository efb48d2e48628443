"""What a web client receives: windows in messages and bytes, what comes again, dead letters."""

import asyncio

import pytest
from magnetar_broker.errors import BrokerError
from magnetar_broker.inner_client.receiver import Receiver
from magnetar_broker.topic_name import TopicName
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.http.web_world import until
from tests.broker.inner_client.inner_world import NAME, Inner, inner_world


async def _taken(receiver: Receiver) -> api.MessageIdData:
    await until(lambda: receiver.waiting)
    message = receiver.take()
    assert message is not None
    return message.id


async def test_no_more_is_asked_for_than_the_window_holds() -> None:
    async with inner_world() as inner:
        producer = await inner.producer()
        await inner.send(producer, *[b"x"] * 9)
        receiver = await inner.receiver(window=4)
        await until(lambda: receiver.waiting == 4)
        (consumer,) = receiver.consumers
        assert consumer.granted == 0
        for _ in range(9):
            await _taken(receiver)


async def test_of_large_messages_no_more_is_asked_for_than_its_bytes_allow() -> None:
    async with inner_world() as inner:
        producer = await inner.producer()
        await inner.send(producer, *[bytes(60_000)] * 12)
        receiver = await inner.receiver()
        await until(lambda: receiver.waiting >= 4)
        (consumer,) = receiver.consumers
        assert (receiver.waiting, consumer.granted) == (4, 0)
        assert not receiver._holding


async def test_small_messages_fill_the_window_before_any_is_taken() -> None:
    async with inner_world() as inner:
        producer = await inner.producer()
        await inner.send(producer, *[b"x"] * 40)
        receiver = await inner.receiver(window=30)
        await until(lambda: receiver.waiting == 30)


async def test_a_web_client_that_reads_nothing_is_not_cut_off() -> None:
    """Scenario: it reads nothing for minutes. Cut off, it would get the same again and again."""
    async with inner_world() as inner:
        producer = await inner.producer()
        await inner.send(producer, *[b"x"] * 200)
        receiver = await inner.receiver(window=1)
        await until(lambda: receiver.waiting)
        receiver._client.connections[0].hold()
        receiver.consumers[0].grant(199)
        broker_end = next(each for each in inner.service.connections if each.consumers)
        broker_end.pause_writing()
        for _ in range(4):
            broker_end.keep_alive_tick(connected=True)
        assert not broker_end.closed
        broker_end.resume_writing()
        receiver._client.connections[0].release()
        await until(lambda: receiver.waiting == 200)


async def test_large_messages_hold_the_connection_and_smaller_windows_follow() -> None:
    async with inner_world() as inner:
        producer = await inner.producer()
        await inner.send(producer, b"small", *[bytes(4000)] * 30)
        receiver = await inner.receiver(window_bytes=5000)
        await until(lambda: receiver.waiting >= 4)
        assert receiver._holding
        assert receiver._queued_bytes <= 5 * 5000
        for _ in range(31):
            await _taken(receiver)
        assert receiver._average_bytes > 3000
        assert not receiver._holding


async def _full(inner: Inner) -> Receiver:
    """Holds its connection: nobody takes what came."""
    producer = await inner.producer()
    await inner.send(producer, b"small", *[bytes(4000)] * 30)
    receiver = await inner.receiver(window_bytes=5000)
    await until(lambda: receiver._holding)
    return receiver


async def test_a_full_queue_holds_up_no_seek() -> None:
    """Scenario: the answer stood behind messages that nobody took: 503 after 30 s."""
    async with inner_world() as inner:
        receiver = await _full(inner)
        async with asyncio.timeout(5):
            await receiver.seek(lambda _: _to_the_beginning())
        for _ in range(31):
            await _taken(receiver)


async def test_a_full_queue_holds_up_no_unsubscribe() -> None:
    async with inner_world() as inner:
        receiver = await _full(inner)
        async with asyncio.timeout(5):
            await receiver.unsubscribe()
        assert "s" not in inner.topic().subscriptions


async def test_a_seek_that_is_refused_loses_nothing_that_waits() -> None:
    async with inner_world() as inner:
        receiver = await _full(inner)
        nowhere = api.CommandSeek(consumer_id=0, request_id=0)
        with pytest.raises(BrokerError):
            await receiver.seek(lambda _: nowhere)
        for _ in range(31):
            await _taken(receiver)


async def test_a_seek_waits_until_the_consumer_is_attached_again() -> None:
    """Scenario: the topic moves to another broker just then."""
    async with inner_world() as inner:
        await inner.send(await inner.producer(), b"x")
        receiver = await inner.receiver()
        await _taken(receiver)
        (consumer,) = receiver.consumers
        await inner.service.admin.unload(NAME)
        await until(lambda: consumer.connection is None)
        await receiver.seek(lambda _: _to_the_beginning())
        await _taken(receiver)


def _to_the_beginning() -> api.CommandSeek:
    return api.CommandSeek(consumer_id=0, request_id=0, message_publish_time=0)


async def test_what_is_not_acked_in_time_comes_again() -> None:
    async with inner_world() as inner:
        await inner.send(await inner.producer(), b"x")
        receiver = await inner.receiver(ack_timeout_ms=20)
        first = await _taken(receiver)
        again = await _taken(receiver)
        assert again == first
        receiver.ack([again])
        assert not receiver._unacked


async def test_a_nack_has_a_delay_and_a_later_ack_takes_it_back() -> None:
    async with inner_world() as inner:
        await inner.send(await inner.producer(), b"1", b"2")
        receiver = await inner.receiver(ack_timeout_ms=60_000)
        first, second = await _taken(receiver), await _taken(receiver)
        receiver.nack([first], 60_000)
        receiver.nack([second], 0)
        assert await _taken(receiver) == second
        receiver.ack([first])
        assert not receiver._nacked


async def test_topics_share_a_window_and_acks_find_their_topic() -> None:
    async with inner_world() as inner:
        names = [NAME, TopicName.parse("u")]
        for name in names:
            await inner.send(await inner.producer(name), b"x")
        receiver = await inner.receiver(*names, window=10)
        places = [await _taken(receiver), await _taken(receiver)]
        assert receiver.ack(places) == 2
        unknown = api.MessageIdData(ledgerId=1 << 40, entryId=0)
        assert receiver.ack([unknown]) == 0
        subscriptions = [each.subscriptions["s"] for each in inner.service.topics.loaded.values()]
        await until(lambda: not any(each.cursor.backlog_entries for each in subscriptions))


async def test_the_end_of_a_topic_is_noticed() -> None:
    async with inner_world() as inner:
        await inner.send(await inner.producer(), b"x")
        receiver = await inner.receiver()
        place = await _taken(receiver)
        await inner.service.admin.terminate(NAME)
        assert not receiver.end_of_topic
        receiver.ack([place])
        await until(lambda: receiver.end_of_topic)


async def test_all_comes_again_when_it_is_asked_for() -> None:
    async with inner_world() as inner:
        await inner.send(await inner.producer(), b"1", b"2")
        receiver = await inner.receiver(kind=api.CommandSubscribe.Exclusive)
        await _taken(receiver)
        receiver.redeliver_all()
        await until(lambda: receiver.waiting == 2)


async def _letters(inner: Inner) -> list[bytes]:
    topic = inner.service.topics.loaded["persistent://public/default/dead"]
    await until(lambda: topic.messages_in)
    receiver = await inner.receiver(TopicName.parse("dead"))
    await until(lambda: receiver.waiting)
    message = receiver.take()
    assert message is not None
    assert message.properties["REAL_TOPIC"] == str(NAME)
    return [message.body]


async def test_what_is_delivered_too_often_goes_to_the_dead_letters_and_is_acked() -> None:
    async with inner_world() as inner:
        await inner.send(await inner.producer(), b"x")
        receiver = await inner.receiver(max_redeliver_count=1, dead_letter_topic="dead")
        for _ in range(2):
            receiver.nack([await _taken(receiver)], 0)
        await until(lambda: "persistent://public/default/dead" in inner.service.topics.loaded)
        assert await _letters(inner) == [b"x"]
        cursor = inner.topic().subscriptions["s"].cursor
        await until(lambda: cursor.backlog_entries == 0)


async def test_negative_acks_that_wait_are_no_more_than_may_be() -> None:
    """Also of messages that there are not; the oldest come again at once."""
    async with inner_world() as inner:
        await inner.send(await inner.producer(), b"x")
        receiver = await inner.receiver()
        first = await _taken(receiver)
        receiver.nack([first], 60_000)
        made_up = [api.MessageIdData(ledgerId=1 << 40, entryId=number) for number in range(10_000)]
        assert receiver.nack(made_up, 60_000) == 10_000
        assert len(receiver._nacked) == 10_000
        assert await _taken(receiver) == first


async def test_a_message_that_came_twice_holds_up_no_time_out() -> None:
    async with inner_world() as inner:
        await inner.send(await inner.producer(), b"x", b"y")
        receiver = await inner.receiver(ack_timeout_ms=60_000)
        first, second = [await _taken(receiver) for _ in range(2)]
        (consumer,) = receiver.consumers
        consumer.redeliver([first])
        assert await _taken(receiver) == first
        assert [row[2] for row in receiver._unacked.values()] == [second, first]
