"""Backlog quotas and their three actions, expiry by age: on real ledgers, in virtual time."""

import asyncio
from typing import Any

import pytest
from magnetar_broker.errors import BacklogHeldError, BacklogRefusedError, ErrorCode
from magnetar_broker.policies.checks import AGE, STORAGE
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.client import kind_of
from tests.broker.consume_world import TOPIC, ConsumeWorld, positions, scenario
from tests.broker.policies.puts import put

SHARED = api.CommandSubscribe.Shared


def quota(limit: int, action: str) -> dict[str, Any]:
    return {"limit": limit, "limitSize": limit, "limitTime": limit, "policy": action}


async def backlog_of(world: ConsumeWorld, count: int, age_s: int = 0) -> list[tuple[int, int]]:
    """So many messages that nobody has acked."""
    client = await world.client()
    await client.subscribe("s", SHARED)
    published_ms = world.world.clock.wall_ms() - age_s * 1000
    return await world.publish(count, published_ms=published_ms)


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("producer_request_hold", ErrorCode.PRODUCER_BLOCKED_QUOTA_EXCEEDED),
        ("producer_exception", ErrorCode.PRODUCER_BLOCKED_QUOTA_EXCEEDED_EXCEPTION),
    ],
)
@scenario
async def test_producers_are_sent_away_until_the_backlog_is_smaller(
    world: ConsumeWorld, action: str, error: ErrorCode
) -> None:
    await backlog_of(world, 10)
    topic = await put(world)
    producer = await world.client()
    await producer.produce(TOPIC)
    limit = topic.backlog.size_bytes
    await put(world, backlog_quota_map={STORAGE: quota(limit + 1, action)})
    await world.service.upkeep.check_backlogs()
    assert producer.take() == []
    await put(world, backlog_quota_map={STORAGE: quota(limit, action)})
    await world.service.upkeep.check_backlogs()
    [closed] = await producer.turn()
    assert kind_of(closed) == "close_producer"
    refused = await producer.produce(TOPIC)
    assert refused.error == error
    assert "Cannot create producer on topic with backlog quota exceeded" in refused.message
    topic.subscriptions["s"].clear_backlog()
    assert kind_of(await producer.produce(TOPIC)) == "producer_success"


@scenario
async def test_eviction_leaves_nine_tenths_of_the_limit(world: ConsumeWorld) -> None:
    published = await backlog_of(world, 100)
    topic = await put(world)
    limit = topic.backlog.size_bytes // 2
    await put(world, backlog_quota_map={STORAGE: quota(limit, "consumer_backlog_eviction")})
    await topic.backlog.check_producer()
    await world.service.upkeep.check_backlogs()
    assert limit * 0.8 < topic.backlog.size_bytes <= limit * 0.9
    subscription = topic.subscriptions["s"]
    left = subscription.cursor.backlog_entries
    assert 40 <= left <= 45
    assert subscription.messages_expired == 100 - left
    consumer = await world.client()
    await consumer.subscribe("s", SHARED, consumer_id=2, permits=200)
    assert positions(await consumer.messages(left, 2)) == published[-left:]


@scenario
async def test_an_old_backlog_is_told_by_its_oldest_message(world: ConsumeWorld) -> None:
    await backlog_of(world, 3, age_s=100)
    topic = await put(world, backlog_quota_map={AGE: quota(100, "producer_request_hold")})
    await topic.backlog.check_producer()
    await asyncio.sleep(1)
    with pytest.raises(BacklogHeldError):
        await topic.backlog.check_producer()
    await put(world, backlog_quota_map={AGE: quota(100, "producer_exception")})
    with pytest.raises(BacklogRefusedError):
        await topic.backlog.check_producer()
    await put(world, backlog_quota_map={AGE: quota(100, "consumer_backlog_eviction")})
    await world.publish(2, published_ms=world.world.clock.wall_ms())
    await topic.backlog.enforce()
    assert topic.subscriptions["s"].cursor.backlog_entries == 2


@scenario
async def test_a_topic_without_subscriptions_has_no_backlog(world: ConsumeWorld) -> None:
    await world.publish(5)
    topic = await put(world, backlog_quota_map={AGE: quota(1, "producer_exception")})
    assert topic.backlog.size_bytes == 0
    assert await topic.backlog.oldest_ms() is None
    await topic.backlog.check_producer()


@scenario
async def test_messages_expire_for_each_subscription(world: ConsumeWorld) -> None:
    old = await backlog_of(world, 7, age_s=50)
    young = await world.publish(3, published_ms=world.world.clock.wall_ms())
    topic = await put(world, message_ttl_in_seconds=60)
    await world.service.upkeep.expire_messages()
    cursor = topic.subscriptions["s"].cursor
    assert cursor.backlog_entries == 10
    await asyncio.sleep(11)
    await world.service.upkeep.expire_messages()
    assert (cursor.backlog_entries, tuple(cursor.mark_delete)) == (3, old[-1])
    client = await world.client()
    await client.subscribe("s", SHARED, consumer_id=3, permits=100)
    assert positions(await client.messages(3, 3)) == young
    await asyncio.sleep(60)
    await world.service.upkeep.expire_messages()
    assert cursor.backlog_entries == 0


@scenario
async def test_they_expire_by_themselves_and_without_a_ttl_never(world: ConsumeWorld) -> None:
    await backlog_of(world, 7)
    topic = await put(world)
    await asyncio.sleep(1000)
    assert topic.subscriptions["s"].cursor.backlog_entries == 7
    await put(world, message_ttl_in_seconds=60)
    await asyncio.sleep(301)
    assert topic.subscriptions["s"].cursor.backlog_entries == 0
