"""Changes reach the topics that are loaded, whoever made them."""

import asyncio
from typing import Any

import pytest
from magnetar_broker.errors import ErrorCode
from magnetar_broker.topic_name import TopicName
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.client import kind_of, sends
from tests.broker.conftest import Broker
from tests.broker.consume_world import TOPIC, ConsumeWorld, scenario
from tests.broker.policies.puts import NAME, NAMESPACE, put, put_of_topic
from tests.ledger.managed.harness import until

SHARED = api.CommandSubscribe.Shared
X = TopicName.parse("x")


async def change(broker: Broker, **given: Any) -> None:
    """As another broker would: only the watch tells of it."""
    await broker.service.policy_store.change_namespace(
        NAMESPACE, lambda settings: settings.update(given)
    )


async def change_topic(broker: Broker, name: TopicName = X, **given: Any) -> None:
    await broker.service.policy_store.change_topic(name, lambda settings: settings.update(given))


def subscribe(name: str, kind: int = api.CommandSubscribe.Shared, consumer_id: int = 1) -> Any:
    return api.CommandSubscribe(
        topic="x", subscription=name, subType=kind, request_id=7, consumer_id=consumer_id
    )


async def test_a_limit_of_the_namespace_and_one_of_the_topic(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    await change(broker, max_producers_per_topic=1)
    await client.turn()
    assert (await client.produce("x", 2)).error == ErrorCode.PRODUCER_BUSY
    await change_topic(broker, maxProducers=2)
    await client.turn()
    assert kind_of(await client.produce("x", 3)) == "producer_success"
    assert (await client.produce("x", 4)).error == ErrorCode.PRODUCER_BUSY


async def test_what_is_set_before_the_topic_is_loaded_holds(broker: Broker) -> None:
    await change(broker, max_producers_per_topic=1)
    client = await broker.client()
    await client.produce("x", 1)
    assert (await client.produce("x", 2)).error == ErrorCode.PRODUCER_BUSY


async def test_a_change_while_the_topic_is_being_loaded(broker: Broker) -> None:
    async def meanwhile() -> None:
        await change(broker, max_producers_per_topic=1)
        await broker.service.live_policies.namespace_changed(NAMESPACE)

    broker.before_open = meanwhile
    topic = await broker.service.topic(X, create=True)
    assert topic.policies.max_producers == 1


async def test_partitions_follow_their_topic(broker: Broker) -> None:
    await broker.service.admin.create_partitioned(X, 1)
    partition = await broker.service.topic(X.partition(0), create=True)
    await change_topic(broker, maxProducers=5)
    await broker.service.live_policies.topic_changed(X)
    assert partition.policies.max_producers == 5


@scenario
async def test_limits_of_consumers_and_subscriptions(world: ConsumeWorld) -> None:
    limits = {
        "max_consumers_per_topic": 3,
        "max_consumers_per_subscription": 2,
        "max_subscriptions_per_topic": 2,
    }
    client = await world.client()
    await world.publish(1)
    await put(world, **limits)
    for consumer_id, name, wanted in (
        (1, "a", None),
        (2, "a", None),
        (3, "a", ErrorCode.CONSUMER_BUSY),
        (4, "b", None),
        (5, "b", ErrorCode.CONSUMER_BUSY),
        (6, "c", ErrorCode.NOT_ALLOWED),
    ):
        reply = await client.subscribe(name, SHARED, consumer_id=consumer_id)
        assert getattr(reply, "error", None) == wanted, consumer_id


@scenario
async def test_a_consumer_that_holds_too_much_is_let_go_on_when_it_may_hold_more(
    world: ConsumeWorld,
) -> None:
    async def hold_at_most(most: int) -> None:
        await put_of_topic(world, maxUnackedMessagesOnConsumer=most)

    client = await world.client()
    await client.subscribe("s", SHARED)
    await hold_at_most(3)
    client.flow(100)
    await world.publish(20)
    got = await client.messages(3)
    await hold_at_most(10)
    got += await client.messages(7)
    await hold_at_most(2)
    client.ack(*got[:3])
    assert not await client.messages(0)
    client.ack(*got[3:])
    assert len(await client.messages(2)) == 2
    await hold_at_most(0)
    assert len(await client.messages(8)) == 8


@scenario
async def test_delayed_delivery_is_switched_off_and_on(world: ConsumeWorld) -> None:
    async def delay(*, active: bool) -> None:
        rule = {"active": active, "tickTime": 100, "maxDeliveryDelayInMillis": 0}
        await put_of_topic(world, delayedDelivery=rule)

    client = await world.client()
    await client.subscribe("s", SHARED, permits=100)
    later_ms = world.world.clock.wall_ms() + 60_000
    await world.publish(1, deliver_at_ms=[later_ms])
    await client.messages(0)
    await delay(active=False)
    await world.publish(1, deliver_at_ms=[later_ms])
    await client.messages(1)
    await delay(active=True)
    await world.publish(1, deliver_at_ms=[later_ms])
    await client.messages(0)
    await asyncio.sleep(60)
    await client.messages(2)


@scenario
async def test_deduplication_is_switched_on_and_off(world: ConsumeWorld) -> None:
    client, service = await world.client(), world.service
    await client.subscribe("s")
    for enabled in (True, False):
        producer = await world.client()
        await producer.produce(TOPIC, producer_name="p")
        await put_of_topic(world, deduplicationEnabled=enabled)
        await until(lambda: TOPIC not in service.topics.loaded)
        topic = await service.topic(NAME, create=False)
        assert (topic.dedup_keeper is not None) is enabled
        assert [kind_of(each) for each in producer.take()][-1:] == ["close_producer"]


async def test_types_of_subscriptions_and_whether_they_are_made(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    await change_topic(broker, subscriptionTypesEnabled=["Exclusive"])
    await client.turn()
    assert (await client.ask(subscribe("a"))).error == ErrorCode.NOT_ALLOWED
    exclusive = api.CommandSubscribe.Exclusive
    await change_topic(broker, autoSubscriptionCreation={"allowAutoSubscriptionCreation": False})
    await client.turn()
    reply = await client.ask(subscribe("a", exclusive))
    assert reply.error == ErrorCode.SUBSCRIPTION_NOT_FOUND


async def test_the_largest_message(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    await change_topic(broker, maxMessageSize=100)
    await client.turn()
    client.publish(*sends(1, 0), body=b"x" * 200)
    client.publish(*sends(1, 1), body=b"x")
    [error] = await client.turn()
    assert (error.error, error.sequence_id) == (ErrorCode.NOT_ALLOWED, 0)
    assert "Exceed maximum message size" in error.message
    broker.ledger("x").confirm()
    [receipt] = await client.turn()
    assert receipt.sequence_id == 1
    await change_topic(broker, maxMessageSize=0)
    await client.turn()
    client.publish(*sends(1, 2), body=b"x" * 200)
    broker.ledger("x").confirm()
    [receipt] = await client.turn()
    assert receipt.sequence_id == 2


async def test_the_managed_ledger_is_told(broker: Broker) -> None:
    kept = {"retentionTimeInMinutes": -1, "retentionSizeInMB": -1}
    await change(broker, retention_policies=kept)
    await broker.service.topic(X, create=True)
    policies = broker.ledger("x").policies
    assert policies is not None
    assert policies.retention is not None
    assert policies.retention.time_ms == -1
    await change(broker, retention_policies=None)
    await broker.service.live_policies.namespace_changed(NAMESPACE)
    policies = broker.ledger("x").policies
    assert policies is not None
    assert policies.retention is None


async def test_what_could_not_be_read_is_read_later(broker: Broker) -> None:
    topic = await broker.service.topic(X, create=True)
    real = broker.store.get

    async def fail(path: str) -> Any:
        raise UnknownOutcomeError(path, "away")

    await change_topic(broker, maxProducers=4)
    broker.store.get = fail  # type: ignore[method-assign]
    live = broker.service.live_policies
    await live.topic_changed(X)
    await live.namespace_changed(NAMESPACE)
    assert topic.policies.max_producers == 0
    broker.store.get = real  # type: ignore[method-assign]
    await live.catch_up()
    assert topic.policies.max_producers == 4


async def test_topics_without_policies_of_their_own_share_one_object(broker: Broker) -> None:
    one, other = [
        await broker.service.topic(TopicName.parse(name), create=True) for name in ("a", "b")
    ]
    assert one.policies is other.policies
    await change(broker, max_producers_per_topic=3)
    await broker.service.live_policies.namespace_changed(NAMESPACE)
    assert one.policies is other.policies
    assert one.policies.max_producers == 3
    await change_topic(broker, one.name, maxProducers=0)
    await broker.service.live_policies.topic_changed(one.name)
    assert (one.policies.max_producers, other.policies.max_producers) == (0, 3)


async def test_a_topic_whose_policies_cannot_be_read_is_not_loaded(broker: Broker) -> None:
    async def fail(name: TopicName) -> Any:
        raise UnknownOutcomeError(str(name), "away")

    broker.service.policy_store.topic = fail  # type: ignore[method-assign]
    with pytest.raises(UnknownOutcomeError):
        await broker.service.topic(X, create=True)
    assert broker.opened == []


async def test_nothing_is_followed_of_topics_that_are_not_loaded_any_more(broker: Broker) -> None:
    live = broker.service.live_policies
    topic = await broker.service.topic(X, create=True)
    await broker.service.topics.unload(topic)
    assert not live._topics
    await change_topic(broker, maxProducers=4)
    await live.topic_changed(X)
    assert topic.policies.max_producers == 0
