"""What each kind of subscription tells of its dispatcher."""

from magnetar_broker.stats.dispatch_stats import (
    active_consumer,
    draining_stats,
    entries_in_replay,
    hash_ranges,
)
from magnetar_broker.subscription_type import SubscriptionType
from magnetar_ledger.position import Position

from tests.broker.consuming import payload
from tests.broker.subscribed import MemoryTopic


async def test_of_a_subscription_that_never_had_a_consumer() -> None:
    assert active_consumer(None) is None


async def test_only_failover_and_exclusive_have_an_active_consumer() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    one = await topic.attach(subscription, SubscriptionType.FAILOVER)
    assert active_consumer(subscription.dispatcher) is one
    assert hash_ranges(subscription.dispatcher, one) == []
    subscription.detach(one)
    assert active_consumer(subscription.dispatcher) is None


async def test_only_key_shared_has_hashes() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    one = await topic.attach(subscription, SubscriptionType.KEY_SHARED)
    assert active_consumer(subscription.dispatcher) is None
    assert hash_ranges(subscription.dispatcher, one) == [(1, 65_535)]


DRAINING_ON_PULSAR = [5050, 27176, 30776, 36144, 47285, 63725]
"""As recorded of Pulsar 4.0.7: keys k0 to k9, consumer "b", and then "c" beside it."""


async def test_hashes_that_drain_are_those_that_pulsar_tells() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    one = await topic.attach(subscription, SubscriptionType.KEY_SHARED, "b", permits=100)
    publish(topic, 0, 20)
    other = await topic.attach(subscription, SubscriptionType.KEY_SHARED, "c", permits=100)
    publish(topic, 20, 40)
    told = draining_stats(subscription.dispatcher)
    assert told[one] == {
        "drainingHashesCount": 6,
        "drainingHashesClearedTotal": 0,
        "drainingHashesUnackedMessages": 12,
        "drainingHashes": [
            {"hash": hash_, "unackMsgs": 2, "blockedAttempts": 2} for hash_ in DRAINING_ON_PULSAR
        ],
    }
    assert told[other]["drainingHashes"] == []
    assert entries_in_replay(subscription.dispatcher) == 12
    for entry_id in range(20):
        subscription.ack_individual(one, Position(1, entry_id), (), 0)
    subscription.acks_done()
    told = draining_stats(subscription.dispatcher)
    assert told[one] == {
        "drainingHashesCount": 0,
        "drainingHashesClearedTotal": 6,
        "drainingHashesUnackedMessages": 0,
        "drainingHashes": [],
    }
    assert entries_in_replay(subscription.dispatcher) == 0


def publish(topic: MemoryTopic, first: int, end: int) -> None:
    topic.ledger.add(*(payload(n, key=f"k{n % 10}") for n in range(first, end)))
    topic.subscriptions["s"].entries_available()


async def test_others_have_no_hashes_that_drain() -> None:
    assert draining_stats(None) == {}
    topic = MemoryTopic()
    subscription = await topic.open()
    one = await topic.attach(subscription, SubscriptionType.SHARED)
    assert draining_stats(subscription.dispatcher)[one]["drainingHashes"] == []
    assert entries_in_replay(subscription.dispatcher) == 0
