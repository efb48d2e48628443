"""What administrators do, on real ledgers."""

import pytest
from magnetar_broker.cursor_reset import Place
from magnetar_broker.errors import (
    ErrorCode,
    NotAllowedError,
    SubscriptionNotFoundError,
    TopicBusyError,
    TopicConflictError,
    TopicNotFoundError,
)
from magnetar_broker.topic_name import TopicName
from magnetar_ledger.position import Position
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.client import sends
from tests.broker.consume_world import TOPIC, ConsumeWorld, scenario
from tests.ledger.managed.harness import until

NAME = TopicName.parse(TOPIC)
PARTED = TopicName.parse("parted")
SHARED = api.CommandSubscribe.Shared


@scenario
async def test_loaded_is_what_exists(world: ConsumeWorld) -> None:
    admin, name = world.service.admin, TopicName.parse("nothing")
    with pytest.raises(TopicNotFoundError):
        await admin.loaded(name)
    made = await admin.create(name)
    assert await admin.loaded(name) is made


@scenario
async def test_terminated_topic(world: ConsumeWorld) -> None:
    client, admin = await world.client(), world.service.admin
    await client.subscribe("s", SHARED)
    assert isinstance(await client.produce(TOPIC, 7), api.CommandProducerSuccess)
    client.publish(*sends(7, 0))
    [published] = await world.publish(1)
    assert await admin.terminate(NAME) == Position(*published)
    assert await admin.terminate(NAME) == Position(*published)
    await until(lambda: bool(client.of(api.CommandCloseProducer)))
    client.take()
    refused = await client.request(api.CommandProducer(topic=TOPIC, producer_id=8))
    assert refused.error == ErrorCode.TOPIC_TERMINATED
    client.flow(10)  # what is there is still consumed, by newcomers too
    client.ack(*await client.messages(2))
    await until(lambda: bool(client.of(api.CommandReachedEndOfTopic)))
    await client.subscribe("late", SHARED, consumer_id=2, permits=10)
    assert len(await client.messages(2, 2)) == 2


@scenario
async def test_terminated_partitions(world: ConsumeWorld) -> None:
    admin = world.service.admin
    await admin.create_partitioned(PARTED, 2)
    [published] = await world.publish(1, topic=str(PARTED.partition(1)))
    first, second = await admin.terminate_partitions(PARTED)
    assert (first.entry_id, second) == (-1, Position(*published))


@scenario
async def test_unloaded_topic_is_found_again(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe("s", SHARED, permits=10)
    published = await world.publish(2)
    client.ack((await client.messages(2))[0])
    await world.service.admin.unload(NAME)
    await until(lambda: bool(client.of(api.CommandCloseConsumer)))
    client.take()
    await client.subscribe("s", SHARED, permits=10)
    [again] = await client.messages(1)
    assert (again.message_id.ledgerId, again.message_id.entryId) == published[1]
    await world.service.admin.unload(NAME)
    await world.service.admin.unload(NAME)  # it is not loaded: there is nothing to do
    with pytest.raises(TopicNotFoundError):
        await world.service.admin.unload(TopicName.parse("none"))


@scenario
async def test_new_partitions_have_the_subscriptions_of_the_others(world: ConsumeWorld) -> None:
    admin = world.service.admin
    await admin.create_partitioned(PARTED, 1)
    await admin.create_subscription(PARTED, "s", earliest=False, start=None)
    client = await world.client()
    await client.subscribe("reader", topic=str(PARTED.partition(0)), durable=False)
    await admin.update_partitions(PARTED, 3)
    topics = world.service.topics.loaded
    assert [list(topics[str(PARTED.partition(index))].subscriptions) for index in (1, 2)] == [
        ["s"],
        ["s"],
    ]
    published = await world.publish(1, topic=str(PARTED.partition(2)))
    await client.subscribe("s", SHARED, topic=str(PARTED.partition(2)), consumer_id=2, permits=1)
    [message] = await client.messages(1, 2)
    assert [(message.message_id.ledgerId, message.message_id.entryId)] == published


@scenario
async def test_subscriptions(world: ConsumeWorld) -> None:
    admin = world.service.admin
    published = await world.publish(3)
    await admin.create_subscription(NAME, "latest", earliest=False, start=None)
    await admin.create_subscription(NAME, "earliest", earliest=True, start=None)
    await admin.create_subscription(NAME, "second", earliest=False, start=Position(*published[1]))
    with pytest.raises(TopicConflictError):
        await admin.create_subscription(NAME, "latest", earliest=False, start=None)
    assert sorted(await admin.subscriptions(NAME)) == ["earliest", "latest", "second"]
    backlogs = {
        name: subscription.cursor.backlog_entries
        for name, subscription in world.service.topics.loaded[TOPIC].subscriptions.items()
    }
    assert backlogs == {"latest": 0, "earliest": 3, "second": 2}
    client = await world.client()
    await client.subscribe("latest", SHARED)
    with pytest.raises(TopicBusyError):
        await admin.delete_subscription(NAME, "latest", force=False)
    await admin.delete_subscription(NAME, "latest", force=True)
    await until(lambda: bool(client.of(api.CommandCloseConsumer)))
    await admin.delete_subscription(NAME, "second", force=False)
    with pytest.raises(SubscriptionNotFoundError):
        await admin.delete_subscription(NAME, "second", force=False)
    with pytest.raises(TopicNotFoundError):
        await admin.subscriptions(TopicName.parse("none"))


@scenario
async def test_no_partition_comes_back_while_they_are_deleted(
    world: ConsumeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, topics = world.service.admin, world.service.topics
    await admin.create_partitioned(PARTED, 3)
    delete = topics.delete

    async def then_look_up(name: TopicName, *, force: bool = False) -> None:
        await delete(name, force=force)
        with pytest.raises(TopicNotFoundError):
            await world.service.topic(name, create=True)

    monkeypatch.setattr(topics, "delete", then_look_up)
    await admin.delete_partitioned(PARTED, force=True)
    assert await world.service.catalog.topics(PARTED.namespace) == []
    assert await world.service.catalog.partitioned(PARTED) is None


@scenario
async def test_a_deletion_of_partitions_that_failed_may_be_tried_again(
    world: ConsumeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, topics = world.service.admin, world.service.topics
    await admin.create_partitioned(PARTED, 2)

    async def fail(name: TopicName, *, force: bool = False) -> None:
        raise TopicBusyError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(topics, "delete", fail)
        with pytest.raises(TopicBusyError):
            await admin.delete_partitioned(PARTED, force=False)
    await world.publish(1, topic=str(PARTED.partition(0)))  # all is as it was
    await admin.delete_partitioned(PARTED, force=True)
    assert await world.service.catalog.topics(PARTED.namespace) == []


@scenario
async def test_missed_partitions(world: ConsumeWorld) -> None:
    admin, catalog = world.service.admin, world.service.catalog
    await catalog.create_partitioned(PARTED, 2)
    assert not await catalog.exists(PARTED.partition(1))
    await admin.create_missed_partitions(PARTED)
    assert await catalog.exists(PARTED.partition(1))


@scenario
async def test_reset_of_a_topic_sends_its_consumers_back(world: ConsumeWorld) -> None:
    client, admin = await world.client(), world.service.admin
    await client.subscribe("s", SHARED, permits=10)
    published = await world.publish(5)
    client.ack(*await client.messages(5))
    place = Place(Position(*published[1]), excluded=True)
    for reset, count in (
        (admin.reset_to_place(NAME, "s", place), 3),
        (admin.reset_to_time(NAME, "s", 0), 5),
    ):
        await reset
        await until(lambda: bool(client.of(api.CommandCloseConsumer)))
        client.take()
        await client.subscribe("s", SHARED, permits=10)
        came = [each.message_id for each in await client.messages(count)]
        assert [(each.ledgerId, each.entryId) for each in came] == published[-count:]
    with pytest.raises(SubscriptionNotFoundError):
        await admin.reset_to_time(NAME, "none", 0)
    with pytest.raises(TopicNotFoundError):
        await admin.reset_to_time(TopicName.parse("none"), "s", 0)


@scenario
async def test_reset_of_partitions_is_by_time(world: ConsumeWorld) -> None:
    admin = world.service.admin
    await admin.create_partitioned(PARTED, 2)
    await admin.create_subscription(PARTED, "s", earliest=False, start=None)
    for index in range(2):
        await world.publish(3, topic=str(PARTED.partition(index)))
    topics = world.service.topics.loaded
    cursors = [topics[str(PARTED.partition(index))].subscriptions["s"].cursor for index in range(2)]
    await admin.reset_to_time(PARTED, "s", 2**62)
    assert [cursor.backlog_entries for cursor in cursors] == [0, 0]
    await admin.reset_to_time(PARTED, "s", 0)
    assert [cursor.backlog_entries for cursor in cursors] == [3, 3]
    with pytest.raises(NotAllowedError):
        await admin.reset_to_place(PARTED, "s", Place(Position(1, 0)))
    await admin.delete_subscription(PARTED.partition(1), "s", force=False)
    with pytest.raises(SubscriptionNotFoundError):
        await admin.reset_to_time(PARTED, "s", 2**62)
    assert cursors[0].backlog_entries == 3, "all of them or none"
