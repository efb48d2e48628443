import asyncio

import pytest
from magnetar_broker.errors import MetadataFailedError
from magnetar_broker.seek import first_published_since, publish_time_ms, seek, seek_time
from magnetar_broker.subscription_type import SubscriptionType
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.position import EARLIEST, LATEST, Position
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.consuming import link_of, payload
from tests.broker.subscribed import Gate, MemoryTopic

TIMES = [1000, 2000, 2000, 3000]


def timed_topic() -> MemoryTopic:
    topic = MemoryTopic()
    topic.ledger.add(*(payload(n, published_ms=time) for n, time in enumerate(TIMES)))
    return topic


@pytest.mark.parametrize(
    ("time_ms", "position"),
    [(0, (1, 0)), (1000, (1, 0)), (1001, (1, 1)), (2000, (1, 1)), (3000, (1, 3)), (3001, LATEST)],
)
async def test_the_first_entry_published_since(time_ms: int, position: tuple[int, int]) -> None:
    assert await first_published_since(timed_topic().ledger, time_ms) == position


async def test_all_entries_older_leaves_nothing_to_read() -> None:
    topic = timed_topic()
    subscription = await topic.open()
    await seek_time(subscription, 9000)
    assert subscription.cursor.backlog_entries == 0
    await seek_time(subscription, 0)
    assert subscription.cursor.backlog_entries == 4


def test_an_entry_that_is_no_message_is_old() -> None:
    assert publish_time_ms(b"broken") == 0


@pytest.mark.parametrize(
    ("position", "first"),
    [
        (EARLIEST, (1, 0)),
        (Position(1, 2), (1, 2)),
        (LATEST, (1, 4)),
        (Position(1, 99), (1, 4)),
        (Position(99, 0), (1, 4)),
    ],
)
async def test_the_entry_that_is_named_comes_next(
    position: Position, first: tuple[int, int]
) -> None:
    subscription = await timed_topic().open()
    await seek(subscription, position)
    assert subscription.cursor.first_unacked() == first


async def test_trap_8_consumers_are_sent_away_before_the_cursor_moves() -> None:
    topic = timed_topic()
    subscription = await topic.open()
    one = await topic.attach(subscription, permits=9)
    link_of(one).sent.clear()
    gate = Gate(subscription)
    seeking = asyncio.ensure_future(seek(subscription, Position(1, 1)))
    await topic.scope.settle()
    assert [type(command) for command in link_of(one).commands()] == [api.CommandCloseConsumer]
    assert not subscription.consumers
    gate.opened.set()
    await seeking


async def test_who_comes_during_a_seek_waits_and_reads_from_there() -> None:
    topic = timed_topic()
    subscription = await topic.open()
    gate = Gate(subscription)
    seeking = asyncio.ensure_future(seek(subscription, Position(1, 3)))
    await asyncio.sleep(0)
    attaching = asyncio.ensure_future(topic.attach(subscription, permits=9))
    await topic.scope.settle()
    assert not attaching.done()
    gate.opened.set()
    await seeking
    assert link_of(await attaching).entries() == [(1, 3)]


async def test_two_seeks_at_once_one_is_refused() -> None:
    subscription = await timed_topic().open()
    gate = Gate(subscription)
    first = asyncio.ensure_future(seek(subscription, Position(1, 1)))
    await asyncio.sleep(0)
    with pytest.raises(MetadataFailedError):
        await seek(subscription, Position(1, 2))
    gate.opened.set()
    await first
    assert subscription.cursor.first_unacked() == (1, 1)


async def test_after_a_seek_that_failed_consumers_may_come_again() -> None:
    topic = timed_topic()
    subscription = await topic.open()
    Gate(subscription, LedgerError("planted")).opened.set()
    with pytest.raises(LedgerError):
        await seek(subscription, Position(1, 2))
    one = await topic.attach(subscription, permits=9)
    assert link_of(one).entries() == [(1, n) for n in range(4)]


async def test_only_readers_are_waited_for() -> None:
    topic = timed_topic()
    await seek(await topic.open("durable"), EARLIEST)
    assert topic.timers.later == []
    reader = await topic.open("reader", durable=False)
    await topic.attach(reader)
    await seek(reader, EARLIEST)
    assert "reader" in topic.subscriptions
    back = await topic.attach(reader, SubscriptionType.EXCLUSIVE)
    assert topic.timers.fire() == [60.0]
    assert "reader" in topic.subscriptions
    reader.detach(back)
    assert "reader" not in topic.subscriptions
