"""The stats of a topic have the fields that Apache Pulsar 4.0.7 gives."""

import asyncio
from typing import Any

from magnetar_broker.stats.topic_stats import TopicStats, iso_time
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.client import sends
from tests.broker.consume_world import TOPIC, ConsumeWorld, scenario
from tests.broker.policies.puts import put_of_topic

_TOPIC = """
    msgRateIn msgThroughputIn msgRateOut msgThroughputOut bytesInCounter msgInCounter
    systemTopicBytesInCounter bytesOutCounter msgOutCounter bytesOutInternalCounter
    averageMsgSize msgChunkPublished storageSize backlogSize backlogQuotaLimitSize
    backlogQuotaLimitTime oldestBacklogMessageAgeSeconds publishRateLimitedTimes
    earliestMsgPublishTimeInBacklogs offloadedStorageSize lastOffloadLedgerId
    lastOffloadSuccessTimeStamp lastOffloadFailureTimeStamp ongoingTxnCount abortedTxnCount
    committedTxnCount publishers waitingPublishers subscriptions replication
    deduplicationStatus nonContiguousDeletedMessagesRanges
    nonContiguousDeletedMessagesRangesSerializedSize delayedMessageIndexSizeInBytes compaction
    ownerBroker
"""
_PUBLISHER = """
    accessMode msgRateIn msgThroughputIn averageMsgSize chunkedMessageRate producerId
    supportsPartialProducer producerName address connectedSince clientVersion metadata
"""
_SUBSCRIPTION = """
    msgRateOut msgThroughputOut bytesOutCounter msgOutCounter msgRateRedeliver messageAckRate
    chunkedMessageRate msgBacklog backlogSize earliestMsgPublishTimeInBacklog
    msgBacklogNoDelayed blockedSubscriptionOnUnackedMsgs msgDelayed msgInReplay
    unackedMessages type msgRateExpired totalMsgExpired lastExpireTimestamp
    lastConsumedFlowTimestamp lastConsumedTimestamp lastAckedTimestamp
    lastMarkDeleteAdvancedTimestamp consumers isDurable isReplicated allowOutOfOrderDelivery
    consumersAfterMarkDeletePosition drainingHashesCount drainingHashesClearedTotal
    drainingHashesUnackedMessages nonContiguousDeletedMessagesRanges
    nonContiguousDeletedMessagesRangesSerializedSize delayedMessageIndexSizeInBytes
    subscriptionProperties filterProcessedMsgCount filterAcceptedMsgCount
    filterRejectedMsgCount filterRescheduledMsgCount
    dispatchThrottledMsgEventsBySubscriptionLimit
    dispatchThrottledBytesEventsBySubscriptionLimit dispatchThrottledMsgEventsByTopicLimit
    dispatchThrottledBytesEventsByTopicLimit dispatchThrottledMsgEventsByBrokerLimit
    dispatchThrottledBytesEventsByBrokerLimit durable replicated
"""
_CONSUMER = """
    msgRateOut msgThroughputOut bytesOutCounter msgOutCounter msgRateRedeliver messageAckRate
    chunkedMessageRate consumerName availablePermits unackedMessages avgMessagesPerEntry
    blockedConsumerOnUnackedMsgs drainingHashesCount drainingHashesClearedTotal
    drainingHashesUnackedMessages drainingHashes address connectedSince clientVersion
    lastAckedTimestamp lastConsumedTimestamp lastConsumedFlowTimestamp metadata
    lastAckedTime lastConsumedTime
"""


def stats_of(world: ConsumeWorld, topic: str = TOPIC) -> dict[str, Any]:
    service = world.service
    return TopicStats(service.sampler, "here:8080").of_topic(service.topics.loaded[topic])


@scenario
async def test_fields(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe("s", api.CommandSubscribe.Shared)
    await client.produce(TOPIC, 1)
    stats = stats_of(world)
    subscription = stats["subscriptions"]["s"]
    assert set(stats) == set(_TOPIC.split())
    assert set(stats["publishers"][0]) == set(_PUBLISHER.split())
    assert set(subscription) == set(_SUBSCRIPTION.split())
    assert set(subscription["consumers"][0]) == set(_CONSUMER.split())


@scenario
async def test_figures(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe("s", api.CommandSubscribe.Shared, permits=3)
    await world.service.sampler.sample()
    published = await world.publish(5)
    messages = await client.messages(3)
    client.ack(messages[0])
    client.send(api.CommandRedeliverUnacknowledgedMessages(consumer_id=1))
    await asyncio.sleep(2)
    await world.service.sampler.sample()
    stats = stats_of(world)
    subscription = stats["subscriptions"]["s"]
    [consumer] = subscription["consumers"]
    assert (stats["msgInCounter"], stats["msgOutCounter"]) == (5, 3)
    assert stats["storageSize"] == stats["bytesInCounter"] > 0
    assert stats["backlogSize"] == stats["storageSize"] * 4 // 5
    assert subscription["msgBacklog"] == 4
    assert (subscription["type"], subscription["durable"]) == ("Shared", True)
    assert (consumer["availablePermits"], consumer["unackedMessages"]) == (0, 0)
    assert consumer["msgRateOut"] == subscription["msgRateOut"] == stats["msgRateOut"] > 0
    assert consumer["msgRateRedeliver"] == 2 * consumer["messageAckRate"] > 0
    assert consumer["lastAckedTimestamp"] == subscription["lastAckedTimestamp"] > 0
    assert consumer["address"].startswith("/127.0.0.1:")
    assert len(published) == 5


@scenario
async def test_quotas_and_the_publish_rate(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.produce(TOPIC)
    stats = stats_of(world)
    assert (stats["backlogQuotaLimitSize"], stats["backlogQuotaLimitTime"]) == (-1, -1)
    assert stats["publishRateLimitedTimes"] == 0
    quotas = {
        "destination_storage": {"limitSize": 7000, "limitTime": -1},
        "message_age": {"limitSize": -1, "limitTime": 80},
    }
    for quota in quotas.values():
        quota["policy"] = "producer_exception"  # type: ignore[assignment]
    rate = {"publishThrottlingRateInMsg": 1, "publishThrottlingRateInByte": 0}
    await put_of_topic(world, backlogQuotaMap=quotas, publishRate=rate)
    client.publish(*sends(1, 0, 1, 2))
    stats = stats_of(world)
    assert (stats["backlogQuotaLimitSize"], stats["backlogQuotaLimitTime"]) == (7000, 80)
    assert stats["publishRateLimitedTimes"] == 1


@scenario
async def test_messages_that_expired(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe("s", api.CommandSubscribe.Shared)
    await world.service.sampler.sample()
    await world.publish(5)
    topic = world.service.topics.loaded[TOPIC]
    topic.subscriptions["s"].expire_through(topic.ledger.last_position)
    await asyncio.sleep(2)
    await world.service.sampler.sample()
    stats = stats_of(world)["subscriptions"]["s"]
    assert stats["totalMsgExpired"] == 5
    assert stats["msgRateExpired"] > 0
    assert stats["lastExpireTimestamp"] > 0


@scenario
async def test_active_consumer(world: ConsumeWorld) -> None:
    client = await world.client()
    kind = api.CommandSubscribe.Failover
    await client.subscribe("s", kind, consumer_name="only")
    assert stats_of(world)["subscriptions"]["s"]["activeConsumerName"] == "only"


@scenario
async def test_how_key_shared_consumers_share_keys(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe("s", api.CommandSubscribe.Key_Shared)
    subscription = stats_of(world)["subscriptions"]["s"]
    assert (subscription["keySharedMode"], subscription["allowOutOfOrderDelivery"]) == (
        "AUTO_SPLIT",
        False,
    )
    assert subscription["consumers"][0]["keyHashRangeArrays"] == [(1, 65_535)]


@scenario
async def test_non_persistent_topic(world: ConsumeWorld) -> None:
    client, topic = await world.client(), "non-persistent://public/default/x"
    await client.subscribe("s", api.CommandSubscribe.Shared, topic=topic)
    await client.produce(topic, 1)
    await world.service.sampler.sample()
    client.publish(*sends(1, 0, 1))
    await asyncio.sleep(1)
    await world.service.sampler.sample()
    stats = stats_of(world, topic)
    assert (stats["msgInCounter"], stats["msgOutCounter"], stats["storageSize"]) == (2, 0, 0)
    assert stats["msgDropRate"] == stats["subscriptions"]["s"]["msgDropRate"] > 0


def test_times() -> None:
    assert iso_time(0) == "1970-01-01T00:00:00Z"
    assert iso_time(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
