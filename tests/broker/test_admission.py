"""Who is let in to a subscription beside whom."""

import asyncio

import pytest
from magnetar_broker.errors import (
    ConsumerAssignFailedError,
    ConsumerBusyError,
)
from magnetar_broker.subscription_type import KeySharing, SubscriptionType

from tests.broker.consuming import FakeLink, link_of, payload
from tests.broker.subscribed import MemoryTopic

EXCLUSIVE, SHARED, FAILOVER, KEY_SHARED = (
    SubscriptionType.EXCLUSIVE,
    SubscriptionType.SHARED,
    SubscriptionType.FAILOVER,
    SubscriptionType.KEY_SHARED,
)
STICKY = KeySharing(sticky=True)


async def test_an_exclusive_holder_that_is_alive_stays() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    holder = await topic.attach(subscription)
    with pytest.raises(ConsumerBusyError):
        await topic.attach(subscription)
    assert subscription.consumers == [holder]
    assert link_of(holder).probes == 1


async def test_an_exclusive_holder_that_is_dead_goes() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    topic.ledger.add(payload(0))
    holder = await topic.attach(subscription, permits=9)
    link_of(holder).alive = False
    newcomer = await topic.attach(subscription, permits=9)
    assert subscription.consumers == [newcomer]
    assert not holder.link.consumers
    assert link_of(newcomer).entries() == [(1, 0)]
    assert subscription.sent == (2, 2 * len(payload(0)))


async def test_the_own_connection_is_not_asked_whether_it_lives() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    link = FakeLink()
    await topic.attach(subscription, link=link)
    with pytest.raises(ConsumerBusyError):
        await topic.attach(subscription, link=link, consumer_id=2)
    assert link.probes == 0


async def test_of_two_newcomers_at_a_dead_holder_one_wins() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    holder = await topic.attach(subscription)
    link_of(holder).alive = False
    results = await asyncio.gather(
        topic.attach(subscription), topic.attach(subscription), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Consumer", "ConsumerBusyError"]
    assert len(subscription.consumers) == 1


async def test_most_consumers_of_a_subscription() -> None:
    topic = MemoryTopic(max_consumers_per_subscription=1)
    subscription = await topic.open()
    one = await topic.attach(subscription, SubscriptionType.SHARED)
    with pytest.raises(ConsumerBusyError, match="has 1 consumers, its maximum"):
        await topic.attach(subscription, SubscriptionType.SHARED, consumer_id=2)
    subscription.detach(one)
    await topic.attach(subscription, SubscriptionType.SHARED)


async def test_most_consumers_of_a_topic() -> None:
    topic = MemoryTopic(max_consumers_per_topic=1)
    await topic.attach(await topic.open("a"))
    with pytest.raises(ConsumerBusyError, match="has 1 consumers, its maximum"):
        await topic.attach(await topic.open("r", durable=False))
    assert list(topic.subscriptions) == ["a"]  # the reader's, which nobody uses, did not stay


async def test_key_shared_consumers_share_keys_in_one_way_until_all_have_left() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    one = await topic.attach(subscription, KEY_SHARED)
    for other in (STICKY, KeySharing(out_of_order=True)):
        with pytest.raises(ConsumerBusyError, match="AUTO_SPLIT"):
            await topic.attach(subscription, KEY_SHARED, sharing=other, hash_ranges=[(0, 9)])
    subscription.detach(one)
    await topic.attach(subscription, KEY_SHARED, sharing=STICKY, hash_ranges=[(0, 9)])
    assert subscription.sharing == STICKY


async def test_hashes_of_a_sticky_consumer_that_is_dead_are_free() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    holder = await topic.attach(subscription, KEY_SHARED, sharing=STICKY, hash_ranges=[(0, 9)])
    with pytest.raises(ConsumerAssignFailedError):
        await topic.attach(subscription, KEY_SHARED, sharing=STICKY, hash_ranges=[(9, 99)])
    link_of(holder).alive = False
    newcomer = await topic.attach(subscription, KEY_SHARED, sharing=STICKY, hash_ranges=[(9, 99)])
    assert subscription.consumers == [newcomer]
