"""What is told of topics with subscriptions, by the names of the columns."""

import asyncio
import os
import time
from collections.abc import Sequence
from operator import itemgetter

import pytest
from magnetar_broker.metrics import columns
from magnetar_broker.metrics.families import families
from magnetar_broker.metrics.table import Column, Values
from magnetar_broker.metrics.values import (
    TopicValues,
    consumer_values,
    producer_values,
    subscription_values,
)
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.counters import Counters
from magnetar_runtime.metrics import text_pieces

from tests.broker.consume_world import TOPIC, ConsumeWorld, scenario

LONGEST_S = float(os.environ.get("METRICS_LONGEST_S", "1"))
"""For 10,000 topics; CI, whose machine may be slow, allows more."""


def named(of: Sequence[Column], values: Values) -> dict[str, int | float]:
    """By the last part of the name."""
    prefixes = ("pulsar_subscription_", "pulsar_consumer_", "pulsar_producer_", "pulsar_")
    found = {}
    for column, value in zip(of, values, strict=True):
        prefix = next(each for each in prefixes if column.name.startswith(each))
        found[column.name.removeprefix(prefix)] = value
    return found


@scenario
async def test_figures(world: ConsumeWorld) -> None:
    client, sampler = await world.client(), world.service.sampler
    await client.subscribe("s", api.CommandSubscribe.Shared, permits=3)
    await sampler.sample()
    await world.publish(5)
    messages = await client.messages(3)
    client.ack(messages[0])
    client.send(api.CommandRedeliverUnacknowledgedMessages(consumer_id=1))
    await asyncio.sleep(2)
    await sampler.sample()
    topic = world.service.topics.loaded[TOPIC]
    subscription = topic.subscriptions["s"]
    [consumer] = subscription.consumers
    of_topic = named(columns.TOPIC, TopicValues(topic, sampler).values)
    assert (of_topic["subscriptions_count"], of_topic["consumers_count"]) == (1, 1)
    assert (of_topic["in_messages_total"], of_topic["msg_backlog"]) == (5, 4)
    assert of_topic["storage_backlog_size"] == topic.ledger.size * 4 // 5
    assert of_topic["storage_write_latency_count"] == of_topic["entry_size_count"] == 5
    of_subscription = named(columns.SUBSCRIPTION, subscription_values(subscription, sampler))
    assert of_subscription["back_log"] == of_subscription["back_log_no_delayed"] == 4
    assert of_subscription["in_replay"] == 2
    assert (of_subscription["out_messages_total"], of_subscription["consumers_count"]) == (3, 1)
    assert of_subscription["last_acked_timestamp"] == of_subscription["last_consumed_timestamp"]
    assert of_subscription["last_acked_timestamp"] > 0 == of_subscription["last_expire_timestamp"]
    of_consumer = named(columns.CONSUMER, consumer_values(consumer, sampler))
    assert (of_consumer["available_permits"], of_consumer["unacked_messages"]) == (0, 0)
    for name in ("msg_rate_out", "msg_throughput_out", "msg_rate_redeliver", "msg_ack_rate"):
        assert of_consumer[name] == of_subscription[name] > 0
    assert of_topic["rate_out"] == of_consumer["msg_rate_out"]
    assert of_topic["throughput_out"] == of_consumer["msg_throughput_out"]
    assert of_consumer["msg_rate_redeliver"] == 2 * of_consumer["msg_ack_rate"]


@scenario
async def test_expiry_and_unacked_messages(world: ConsumeWorld) -> None:
    client, sampler = await world.client(), world.service.sampler
    await client.subscribe("s", api.CommandSubscribe.Shared, permits=1)
    await sampler.sample()
    await world.publish(5)
    await client.messages(1)
    topic = world.service.topics.loaded[TOPIC]
    subscription = topic.subscriptions["s"]
    before = named(columns.SUBSCRIPTION, subscription_values(subscription, sampler))
    assert (before["unacked_messages"], before["blocked_on_unacked_messages"]) == (1, 0)
    subscription.context.limits.max_unacked_messages_per_subscription = 1
    assert subscription.expire_through(topic.ledger.last_position) == 5
    await asyncio.sleep(5)
    await sampler.sample()
    after = named(columns.SUBSCRIPTION, subscription_values(subscription, sampler))
    assert (after["total_msg_expired"], after["back_log"]) == (5, 0)
    assert after["msg_rate_expired"] > 0 == after["msg_drop_rate"]
    assert after["last_expire_timestamp"] > 0


@scenario
async def test_a_producer(world: ConsumeWorld) -> None:
    client, sampler = await world.client(), world.service.sampler
    await client.produce(TOPIC, 1)
    [producer] = world.service.topics.loaded[TOPIC].producers.values()
    await sampler.sample()
    producer.messages_in, producer.bytes_in = 4, 400
    await asyncio.sleep(2)
    await sampler.sample()
    values = named(columns.PRODUCER, producer_values(producer, sampler))
    assert values["msg_throughput_in"] == 100 * values["msg_rate_in"] > 0
    assert values["msg_average_Size"] == 100


@pytest.mark.alone
@scenario
async def test_ten_thousand_topics_take_less_than_a_second_in_short_steps(
    world: ConsumeWorld,
) -> None:
    client = await world.client()
    await client.subscribe("s", api.CommandSubscribe.Shared, permits=1)
    await client.produce(TOPIC, 1)
    loaded = world.service.topics.loaded
    copies = {f"copy-{number}": loaded[TOPIC] for number in range(9_999)}
    counters = Counters()
    counters.add_source(lambda: families(world.service))
    loaded.update(copies)
    try:
        looks = [scrape(counters) for _ in range(3)]
    finally:
        for name in copies:
            del loaded[name]
    lines, took_s, longest_s = min(looks, key=itemgetter(1))
    print(f"{lines} lines in {took_s:.3f} s, longest step {longest_s * 1000:.1f} ms")
    assert lines > 600_000
    assert took_s < LONGEST_S
    assert longest_s < 0.01


def scrape(counters: Counters) -> tuple[int, float, float]:
    """Lines, the processor time, and the most of it without a turn for others."""
    steps_s, lines = [], 0
    began_s = time.process_time()
    for piece in text_pieces(counters):
        lines += piece.count("\n")
        ended_s = time.process_time()
        steps_s.append(ended_s - began_s)
        began_s = ended_s
    return lines, sum(steps_s), max(steps_s)
