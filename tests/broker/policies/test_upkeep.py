"""What is done from time to time: subscriptions and topics that nobody uses, failures."""

import asyncio
from typing import Any

import pytest
from magnetar_broker.topic_name import TopicName
from magnetar_ledger.errors import LedgerError
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.conftest import Broker
from tests.broker.consume_world import ConsumeWorld, scenario
from tests.broker.policies.puts import put


@scenario
async def test_subscriptions_that_nobody_uses_expire(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe("s")
    topic = await put(world)
    topic.subscriptions["s"].used_ns -= 600 * 10**9
    await put(world, subscription_expiration_time_minutes=5)
    await world.service.upkeep.expire_subscriptions()
    assert list(topic.subscriptions) == ["s"]
    await client.request(api.CommandCloseConsumer(consumer_id=1))
    await asyncio.sleep(299)
    await world.service.upkeep.expire_subscriptions()
    assert list(topic.subscriptions) == ["s"]
    await asyncio.sleep(1)
    await world.service.upkeep.expire_subscriptions()
    assert not topic.subscriptions
    assert "s" not in topic.ledger.cursors


@pytest.mark.parametrize("error", [LedgerError("planted"), ZeroDivisionError("planted")])
async def test_a_failure_of_one_topic_does_not_keep_the_others_from_it(
    broker: Broker, error: Exception
) -> None:
    for name in ("a", "b"):
        await broker.service.topic(TopicName.parse(name), create=True)
    seen = []

    async def fail(topic: Any) -> None:
        seen.append(topic.name.local_name)
        raise error

    await broker.service.upkeep._of_each(fail, "fail")
    assert seen == ["a", "b"]


@scenario
async def test_inactive_topics_by_the_policy_of_their_namespace(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe("s")
    await client.request(api.CommandCloseConsumer(consumer_id=1))
    rule = {
        "inactiveTopicDeleteMode": "delete_when_no_subscriptions",
        "maxInactiveDurationSeconds": 600,
        "deleteWhileInactive": False,
    }
    caught_up = {**rule, "inactiveTopicDeleteMode": "delete_when_subscriptions_caught_up"}
    topic = await put(world, inactive_topic_policies=caught_up)
    await asyncio.sleep(601)
    assert not topic.inactive
    kept = {"retentionTimeInMinutes": 11, "retentionSizeInMB": -1}
    topic = await put(
        world,
        inactive_topic_policies={**caught_up, "deleteWhileInactive": True},
        retention_policies=kept,
    )
    assert not topic.inactive
    await put(world, retention_policies={**kept, "retentionTimeInMinutes": 10})
    assert topic.inactive
    await put(world, inactive_topic_policies={**rule, "deleteWhileInactive": True})
    assert not topic.inactive
    await put(world, inactive_topic_policies={**caught_up, "deleteWhileInactive": True})
    await world.service.topics.delete_inactive()
    assert not world.service.topics.loaded
