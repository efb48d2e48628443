import asyncio

import pytest
from magnetar_broker.errors import (
    NotAllowedError,
    ServiceNotReadyError,
    SubscriptionNotFoundError,
)
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.position import EARLIEST, Position

from tests.broker.consuming import link_of, payload
from tests.broker.subscribed import MemoryTopic


def topic_with(*times: int) -> MemoryTopic:
    topic = MemoryTopic()
    topic.ledger.add(*(payload(n, published_ms=time) for n, time in enumerate(times)))
    return topic


async def test_latest_begins_behind_the_end_and_earliest_at_the_start() -> None:
    topic = topic_with(0, 0)
    assert (await topic.open("a", earliest=True)).cursor.backlog_entries == 2
    assert (await topic.open("b", earliest=False)).cursor.backlog_entries == 0


async def test_one_subscription_however_many_ask_at_once() -> None:
    topic = topic_with(0)
    opened = await asyncio.gather(*(topic.open() for _ in range(4)))
    assert len(set(map(id, opened))) == 1
    assert not topic.context.changing


async def test_a_failed_opening_may_be_tried_again() -> None:
    topic = topic_with(0)
    real = topic.ledger.open_cursor

    async def fail(*_: object) -> None:
        raise LedgerError("planted")

    topic.ledger.open_cursor = fail
    with pytest.raises(LedgerError):
        await topic.open()
    topic.ledger.open_cursor = real
    assert await topic.open() is topic.subscriptions["s"]


async def test_an_existing_one_keeps_its_place() -> None:
    topic = topic_with(0, 0)
    first = await topic.open(earliest=True)
    assert await topic.open(earliest=False) is first
    assert first.cursor.backlog_entries == 2


@pytest.mark.parametrize("durable", [True, False])
async def test_durable_and_non_durable_do_not_mix(durable: bool) -> None:
    topic = topic_with(0)
    await topic.open(durable=durable)
    with pytest.raises(NotAllowedError, match=f"is {'durable' if durable else 'non-durable'},"):
        await topic.open(durable=not durable)


async def test_durable_ones_are_made_only_if_allowed_but_readers_always() -> None:
    topic = topic_with(0)
    with pytest.raises(SubscriptionNotFoundError):
        await topic.open(create=False)
    await topic.open("r", durable=False, create=False)


async def test_most_subscriptions_of_a_topic() -> None:
    topic = MemoryTopic(max_subscriptions_per_topic=1)
    first = await topic.open("a")
    with pytest.raises(NotAllowedError, match="has 1 subscriptions, its maximum"):
        await topic.open("b")
    assert await topic.open("a") is first


async def test_most_subscriptions_of_a_topic_when_many_ask_at_once() -> None:
    topic = MemoryTopic(max_subscriptions_per_topic=2)
    asked = (topic.open(name) for name in "abcd")
    opened = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(each, NotAllowedError) for each in opened) == 2
    assert len(topic.subscriptions) == 2
    assert not topic.context.opening


async def test_trap_9_a_reader_begins_at_the_entry_itself() -> None:
    topic = topic_with(0, 0, 0)
    subscription = await topic.open(durable=False, start=Position(1, 1))
    one = await topic.attach(subscription, permits=9)
    assert link_of(one).entries() == [(1, 1), (1, 2)]


async def test_a_durable_one_does_not_look_at_the_start_message() -> None:
    topic = topic_with(0, 0, 0)
    subscription = await topic.open(start=Position(1, 1), earliest=True)
    assert subscription.cursor.backlog_entries == 3


async def test_a_rollback_moves_an_existing_one_only_while_nobody_is_there() -> None:
    topic = MemoryTopic()
    now_ms = topic.context.clock.wall_ms()
    topic.ledger.add(payload(0, published_ms=now_ms - 9000), payload(1, published_ms=now_ms))
    subscription = await topic.open(rollback_ms=5000)
    assert subscription.cursor.first_unacked() == (1, 1)
    subscription.cursor.ack_individual(Position(1, 1))
    one = await topic.attach(subscription)
    await topic.open(rollback_ms=10_000)
    assert subscription.consumers == [one]
    subscription.detach(one)
    await topic.open(rollback_ms=10_000)
    assert subscription.cursor.first_unacked() == (1, 0)


async def test_a_name_is_used_again_only_when_its_old_cursor_is_gone() -> None:
    topic = topic_with(0)
    first = await topic.open(durable=False)
    one = await topic.attach(first)
    first.detach(one)
    assert "s" in topic.ledger.cursors
    again = await topic.open(durable=False, start=EARLIEST)
    assert again is not first
    assert topic.ledger.cursors["s"] is again.cursor
    await topic.scope.settle()
    assert topic.ledger.cursors["s"] is again.cursor


async def test_a_closing_topic_takes_nobody() -> None:
    topic = topic_with(0)
    topic.closing = True
    with pytest.raises(ServiceNotReadyError):
        await topic.open()


async def test_a_topic_that_closes_meanwhile_takes_nobody() -> None:
    topic = topic_with(0)
    opening = asyncio.ensure_future(topic.open())
    await asyncio.sleep(0)
    topic.closing = True
    with pytest.raises(ServiceNotReadyError):
        await opening
    assert not topic.subscriptions
    assert not topic.context.changing
