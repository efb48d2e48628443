"""A consumer inside the broker: acks of parts of batches, damage, coming again."""

from typing import Any
from unittest.mock import Mock, patch

from magnetar_broker.inner_client import topic_consumer
from magnetar_broker.inner_client.message_ids import id_of, id_text
from magnetar_broker.inner_client.outgoing import Outgoing
from magnetar_ledger.position import Position
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.http.web_world import until
from tests.broker.inner_client.inner_world import NAME, Inner, inner_world


async def _batch(inner: Inner, count: int) -> None:
    producer = await inner.producer(batch_messages=count)
    for token in range(count):
        producer.send(Outgoing(b"%d" % token), token, inner.sink)
    await until(lambda: len(inner.sink.stored_ids) == count)


def _cursor(inner: Inner) -> Any:
    return inner.topic().subscriptions["s"].cursor


async def test_a_batch_is_done_when_all_its_messages_are() -> None:
    async with inner_world() as inner:
        await _batch(inner, 3)
        receiver = await inner.receiver()
        await until(lambda: receiver.waiting == 3)
        places = [message.id for _ in range(3) if (message := receiver.take())]
        receiver.ack(places[:1])
        receiver.ack(places[2:])
        await until(lambda: _cursor(inner).ack_set_of(Position(places[0].ledgerId, 0)) == (2,))
        receiver.ack([id_of(id_text(inner.sink.stored_ids[1]))])  # without the size of the batch
        await until(lambda: _cursor(inner).backlog_entries == 0)


async def test_an_index_that_cannot_be_acks_nothing() -> None:
    async with inner_world() as inner:
        await _batch(inner, 3)
        receiver = await inner.receiver()
        await until(lambda: receiver.waiting == 3)
        message = receiver.take()
        assert message is not None
        (consumer,) = receiver.consumers
        place = api.MessageIdData()
        place.CopyFrom(message.id)
        place.batch_index = 7
        assert consumer._acked(place) is None


async def test_a_damaged_entry_is_passed_over_and_acked() -> None:
    async with inner_world() as inner:
        receiver = await inner.receiver()
        (consumer,) = receiver.consumers
        producer = await inner.producer()
        await inner.send(producer, b"1")
        await until(lambda: receiver.waiting == 1)
        head = api.CommandMessage(
            consumer_id=1, message_id=api.MessageIdData(ledgerId=1, entryId=0)
        )
        consumer.entry(head, b"\x0e\x01rubbish")
        assert receiver.waiting == 1


async def test_an_unload_brings_again_what_was_not_acked_and_nothing_twice() -> None:
    async with inner_world() as inner:
        producer = await inner.producer()
        await inner.send(producer, b"1", b"2")
        receiver = await inner.receiver()
        await until(lambda: receiver.waiting == 2)
        first = receiver.take()
        assert first is not None
        receiver.ack([first.id])
        await until(lambda: _cursor(inner).backlog_entries == 1)
        await inner.service.admin.unload(NAME)
        await until(lambda: receiver.consumers[0].connection is None or not receiver.waiting)
        await until(lambda: receiver.waiting == 1)
        second = receiver.take()
        assert second is not None
        assert second.body == b"2"


async def test_what_others_say_of_batches_costs_little() -> None:
    """Scenario: one request names 40,000 batches of a million messages each, none of which was
    delivered, and the bit sets of them keep the loop for hours."""
    async with inner_world() as inner:
        receiver = await inner.receiver()
        (consumer,) = receiver.consumers
        size = 1 << 20
        places = [
            api.MessageIdData(ledgerId=1, entryId=each, batch_index=0, batch_size=size)
            for each in range(100)
        ]
        with patch.object(topic_consumer, "words_of_bits", Mock(return_value=[])) as words:
            consumer.ack(places)
        assert sum(call.args[0].bit_length() for call in words.call_args_list) <= size
