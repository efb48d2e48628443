"""What each kind of subscription tells of its dispatcher."""

from magnetar_broker.stats.dispatch_stats import active_consumer, hash_ranges
from magnetar_broker.subscription_type import SubscriptionType

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
