"""A producer inside the broker: receipts, batches, time-outs, and coming again."""

import asyncio
from unittest.mock import AsyncMock, patch

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import (
    ProducerBusyError,
    ServiceNotReadyError,
    TooManyRequestsError,
    TopicTerminatedError,
)
from magnetar_broker.inner_client.outgoing import Outgoing
from magnetar_broker.inner_client.topic_producer import ProducerOptions, TopicProducer
from magnetar_runtime.limits import Limits
from magnetar_runtime.scope import TaskScope

from tests.broker.http.web_world import until
from tests.broker.inner_client.inner_world import NAME, inner_world


async def test_messages_are_stored_in_order() -> None:
    async with inner_world() as inner:
        producer = await inner.producer(name="me")
        for token in range(5):
            producer.send(Outgoing(b"x"), token, inner.sink)
        await until(lambda: len(inner.sink.stored_ids) == 5)
        assert [each.entryId for each in inner.sink.stored_ids.values()] == list(range(5))
        assert inner.topic().producers["me"].messages_in == 5


async def test_a_batch_is_one_entry_and_a_late_one_leaves_by_itself() -> None:
    async with inner_world() as inner:
        producer = await inner.producer(batch_messages=3)
        for token in range(4):
            producer.send(Outgoing(b"x"), token, inner.sink)
        await until(lambda: len(inner.sink.stored_ids) == 4)
        places = [(each.entryId, each.batch_index) for each in inner.sink.stored_ids.values()]
        assert places == [(0, 0), (0, 1), (0, 2), (1, -1)]


async def test_messages_that_fit_one_by_one_are_not_refused_together() -> None:
    async with inner_world() as inner:
        producer = await inner.producer(batch_messages=1000)
        for token, size_bytes in enumerate((100_000, 5_200_000)):
            producer.send(Outgoing(bytes(size_bytes)), token, inner.sink)
        await until(lambda: len(inner.sink.stored_ids) + len(inner.sink.errors) == 2)
        assert not inner.sink.errors
        assert [each.entryId for each in inner.sink.stored_ids.values()] == [0, 1]


async def test_keys_and_properties_count_in_a_batch() -> None:
    async with inner_world() as inner:
        producer = await inner.producer(batch_messages=1000)
        message = Outgoing(b"x", key="k" * 1000, properties={"p" * 1000: "ä" * 2000})
        for token in range(1000):
            producer.send(message, token, inner.sink)
        await until(lambda: len(inner.sink.stored_ids) + len(inner.sink.errors) == 1000)
        assert not inner.sink.errors
        topic = inner.topic()
        assert 64 * 1024 < topic.bytes_in / topic.entries_in <= 128 * 1024


@pytest.mark.parametrize("count", [2, 40])
async def test_a_batch_is_no_larger_than_a_message_may_be(count: int) -> None:
    """Scenario: the limit is lower than what a batch takes else."""
    limits = Limits(max_message_bytes=20_000)
    async with inner_world(BrokerConfig(limits=limits)) as inner:
        producer = await inner.producer(name="n" * 100, batch_messages=1000)
        for token in range(count):
            producer.send(Outgoing(bytes(19_600 * 2 // count)), token, inner.sink)
        await until(lambda: len(inner.sink.stored_ids) + len(inner.sink.errors) == count)
        assert not inner.sink.errors


async def test_a_full_producer_refuses_and_has_room_after_receipts() -> None:
    async with inner_world() as inner:
        producer = await inner.producer(max_pending=2)
        for token in range(2):
            producer.send(Outgoing(b"x"), token, inner.sink)
        with pytest.raises(TooManyRequestsError):
            producer.send(Outgoing(b"x"), 2, inner.sink)
        await producer.room()
        producer.send(Outgoing(b"x"), 2, inner.sink)
        await until(lambda: len(inner.sink.stored_ids) == 3)


async def test_an_unload_costs_nothing() -> None:
    async with inner_world() as inner:
        producer = await inner.producer()
        await inner.send(producer, b"1")
        await inner.service.admin.unload(NAME)
        producer.send(Outgoing(b"2"), 2, inner.sink)
        await until(lambda: len(inner.sink.stored_ids) == 2)
        assert not inner.sink.errors


async def test_a_terminated_topic_fails_what_waits_and_what_comes() -> None:
    async with inner_world() as inner:
        producer = await inner.producer()
        await inner.service.admin.terminate(NAME)
        producer.send(Outgoing(b"x"), 1, inner.sink)
        await until(lambda: inner.sink.errors)
        with pytest.raises(TopicTerminatedError):
            producer.send(Outgoing(b"x"), 2, inner.sink)
        with pytest.raises(TopicTerminatedError):
            await producer.room()


async def test_what_is_not_stored_in_time_has_failed() -> None:
    async with inner_world() as inner:
        producer = await inner.producer(send_timeout_ms=20)
        producer._connection = None  # as while it is attaching
        producer.send(Outgoing(b"x"), 1, inner.sink)
        await until(lambda: inner.sink.errors)
        assert "not stored within 20 ms" in inner.sink.errors[1]


async def test_receipts_of_what_was_given_up_are_passed_over() -> None:
    async with inner_world() as inner:
        producer = await inner.producer()
        connection = producer._connection
        assert connection is not None
        connection.hold()
        producer.send(Outgoing(b"1"), 1, inner.sink)
        await until(lambda: inner.topic().messages_in == 1)
        producer._given_up += 1
        producer._end_first(ServiceNotReadyError("gave up"))
        producer.send(Outgoing(b"2"), 2, inner.sink)
        connection.release()
        await until(lambda: inner.sink.stored_ids)
        assert {key: each.entryId for key, each in inner.sink.stored_ids.items()} == {2: 1}


async def test_a_name_that_is_taken_and_a_message_that_is_too_large() -> None:
    async with inner_world() as inner:
        producer = await inner.producer(name="me")
        with pytest.raises(ProducerBusyError):
            await inner.producer(name="me")
        producer.send(Outgoing(bytes(6 << 20)), 1, inner.sink)
        assert "the limit is" in inner.sink.errors[1]


async def test_close_leaves_the_topic() -> None:
    async with inner_world() as inner:
        producer = await inner.producer()
        producer._connection, connection = None, producer._connection
        producer.send(Outgoing(b"x"), 1, inner.sink)
        producer._connection = connection
        producer.close()
        producer.close()
        assert "was closed" in inner.sink.errors[1]
        await until(lambda: not inner.topic().producers)
        await asyncio.sleep(0)


async def test_a_number_that_is_given_takes_none_that_was_used_for_the_next() -> None:
    """Scenario: with deduplication, what followed was taken for repeats and was lost."""
    async with inner_world() as inner:
        producer = await inner.producer()
        for token, sequence_id in enumerate((10, 3, -1)):
            producer.send(Outgoing(b"x", sequence_id=sequence_id), token, inner.sink)
        assert producer._pending[-1].sequence_id == 11
        await until(lambda: len(inner.sink.stored_ids) == 3)


async def test_a_producer_that_is_made_too_late_does_not_keep_its_name() -> None:
    async with inner_world() as inner:
        await inner.producer()  # the topic is there, and the connection
        at_once = patch("magnetar_broker.inner_client.attaching.REQUEST_TIMEOUT_S", 0)
        with at_once, pytest.raises(ServiceNotReadyError):
            await inner.producer(name="me")
        async with asyncio.timeout(5):
            await inner.send(await inner.producer(name="me"), b"x")


async def test_what_attaches_while_its_scope_ends_ends_with_it() -> None:
    async with inner_world() as inner:
        scope = TaskScope()
        producer = TopicProducer(inner.client, NAME, ProducerOptions(), scope)
        await producer.open()
        connection = producer._connection
        assert connection is not None
        asked = asyncio.Event()

        async def request(_command: object, _timeout_s: float) -> None:
            asked.set()
            await asyncio.Event().wait()

        found = patch.object(inner.client, "connection_for", AsyncMock(return_value=connection))
        with found, patch.object(connection, "request", request):
            producer.detached()
            await asked.wait()
            await scope.close()
