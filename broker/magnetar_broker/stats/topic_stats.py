"""What there is to tell of a topic, in the JSON of Pulsar's admin API.

What is not built (transactions, offloading, compaction, filters, limits of dispatch) has the
figures of a topic that does not use it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker.stats.dispatch_stats import (
    active_consumer,
    draining_stats,
    entries_in_replay,
    hash_ranges,
    held_back,
)
from magnetar_broker.subscription_type import SubscriptionType
from magnetar_broker.volatile import VolatileCursor

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer
    from magnetar_broker.producer import Producer
    from magnetar_broker.stats.sampler import StatsSampler
    from magnetar_broker.subscription import Subscription
    from magnetar_broker.topic import Topic

Stats = dict[str, Any]

_TOPIC_DEFAULTS: Final[Stats] = {
    "systemTopicBytesInCounter": 0,
    "bytesOutInternalCounter": 0,
    "msgChunkPublished": False,
    "oldestBacklogMessageAgeSeconds": -1,
    "earliestMsgPublishTimeInBacklogs": 0,
    "offloadedStorageSize": 0,
    "lastOffloadLedgerId": 0,
    "lastOffloadSuccessTimeStamp": 0,
    "lastOffloadFailureTimeStamp": 0,
    "ongoingTxnCount": 0,
    "abortedTxnCount": 0,
    "committedTxnCount": 0,
    "replication": {},
    "nonContiguousDeletedMessagesRangesSerializedSize": 0,
    "delayedMessageIndexSizeInBytes": 0,
    "compaction": {
        "lastCompactionRemovedEventCount": 0,
        "lastCompactionSucceedTimestamp": 0,
        "lastCompactionFailedTimestamp": 0,
        "lastCompactionDurationTimeInMills": 0,
    },
}

_SUBSCRIPTION_DEFAULTS: Final[Stats] = {
    "chunkedMessageRate": 0.0,
    "earliestMsgPublishTimeInBacklog": 0,
    "msgDelayed": 0,
    "lastConsumedFlowTimestamp": 0,
    "lastMarkDeleteAdvancedTimestamp": 0,
    "isReplicated": False,
    "allowOutOfOrderDelivery": False,
    "consumersAfterMarkDeletePosition": {},
    "nonContiguousDeletedMessagesRangesSerializedSize": 0,
    "delayedMessageIndexSizeInBytes": 0,
    "filterProcessedMsgCount": 0,
    "filterAcceptedMsgCount": 0,
    "filterRejectedMsgCount": 0,
    "filterRescheduledMsgCount": 0,
    "dispatchThrottledMsgEventsBySubscriptionLimit": 0,
    "dispatchThrottledBytesEventsBySubscriptionLimit": 0,
    "dispatchThrottledMsgEventsByTopicLimit": 0,
    "dispatchThrottledBytesEventsByTopicLimit": 0,
    "dispatchThrottledMsgEventsByBrokerLimit": 0,
    "dispatchThrottledBytesEventsByBrokerLimit": 0,
    "replicated": False,
}

_CONSUMER_DEFAULTS: Final[Stats] = {
    "chunkedMessageRate": 0.0,
    "lastConsumedFlowTimestamp": 0,
}

_DRAINING_SUMS: Final = (
    "drainingHashesCount",
    "drainingHashesClearedTotal",
    "drainingHashesUnackedMessages",
)


class TopicStats:
    """Rates come from the sampler, all else from the topic as it is now."""

    def __init__(self, sampler: StatsSampler, owner: str) -> None:
        """Make it for the broker that clients of HTTP know as `owner` (`host:port`)."""
        self._sampler = sampler
        self._owner = owner

    def of_topic(self, topic: Topic) -> Stats:
        """The stats of one topic."""
        rate_in, throughput_in = self._sampler.meter_of(topic).rates[:2]
        subscriptions = {
            name: self._of_subscription(topic, subscription)
            for name, subscription in topic.subscriptions.items()
        }
        each = list(subscriptions.values())
        stats = {
            **_TOPIC_DEFAULTS,
            "msgRateIn": rate_in,
            "msgThroughputIn": throughput_in,
            "msgRateOut": _sum_of(each, "msgRateOut"),
            "msgThroughputOut": _sum_of(each, "msgThroughputOut"),
            "bytesInCounter": topic.bytes_in,
            "msgInCounter": topic.messages_in,
            "bytesOutCounter": _sum_of(each, "bytesOutCounter"),
            "msgOutCounter": _sum_of(each, "msgOutCounter"),
            "averageMsgSize": throughput_in / rate_in if rate_in else 0.0,
            "storageSize": topic.ledger.size,
            "backlogSize": max((one["backlogSize"] for one in each), default=0),
            "backlogQuotaLimitSize": topic.policies.storage_quota.limit,
            "backlogQuotaLimitTime": topic.policies.age_quota.limit,
            "publishRateLimitedTimes": topic.publish_rate.times_held,
            "publishers": [self._of_producer(one) for one in topic.producers.values()],
            "waitingPublishers": topic.attached.waiting,
            "subscriptions": subscriptions,
            "nonContiguousDeletedMessagesRanges": _sum_of(
                each, "nonContiguousDeletedMessagesRanges"
            ),
            "delayedMessageIndexSizeInBytes": _sum_of(each, "delayedMessageIndexSizeInBytes"),
            "ownerBroker": self._owner,
            "deduplicationStatus": "Disabled" if topic.dedup_keeper is None else "Enabled",
        }
        if topic.attached.epoch is not None:
            stats["topicEpoch"] = topic.attached.epoch
        if not topic.name.persistent:
            stats["msgDropRate"] = _sum_of(each, "msgDropRate")
        return stats

    def _of_producer(self, producer: Producer) -> Stats:
        rate_in, throughput_in = self._sampler.meter_of(producer).rates[:2]
        return {
            "accessMode": api.ProducerAccessMode.Name(
                api.ProducerAccessMode.ValueType(producer.access_mode)
            ),
            "msgRateIn": rate_in,
            "msgThroughputIn": throughput_in,
            "averageMsgSize": throughput_in / rate_in if rate_in else 0.0,
            "chunkedMessageRate": 0.0,
            "producerId": producer.producer_id,
            "supportsPartialProducer": False,
            "producerName": producer.name,
            "address": f"/{producer.connection.remote_address}",
            "connectedSince": iso_time(producer.connected_since_ms),
            "clientVersion": producer.connection.client_version,
            "metadata": {},
        }

    def _of_subscription(self, topic: Topic, subscription: Subscription) -> Stats:
        draining = draining_stats(subscription.dispatcher)
        consumers = [
            self._of_consumer(consumer) | draining[consumer] for consumer in subscription.consumers
        ]
        meters = [self._sampler.meter_of(consumer) for consumer in subscription.consumers]
        own_meter = self._sampler.meter_of(subscription)
        backlog = subscription.cursor.backlog_entries
        messages_out, bytes_out = subscription.sent
        stats = {
            **_SUBSCRIPTION_DEFAULTS,
            "msgRateOut": _sum_of(consumers, "msgRateOut"),
            "msgThroughputOut": _sum_of(consumers, "msgThroughputOut"),
            "bytesOutCounter": bytes_out,
            "msgOutCounter": messages_out,
            "msgRateRedeliver": _sum_of(consumers, "msgRateRedeliver"),
            "messageAckRate": _sum_of(consumers, "messageAckRate"),
            "msgBacklog": backlog,
            "backlogSize": _backlog_bytes(topic, backlog),
            "msgBacklogNoDelayed": backlog - subscription.delayed[0],
            "msgDelayed": subscription.delayed[0],
            "delayedMessageIndexSizeInBytes": subscription.delayed[1],
            "blockedSubscriptionOnUnackedMsgs": (
                subscription.blocked or held_back(subscription.dispatcher)
            ),
            "msgInReplay": entries_in_replay(subscription.dispatcher),
            "unackedMessages": _sum_of(consumers, "unackedMessages"),
            "msgRateExpired": own_meter.rates[1],
            "totalMsgExpired": subscription.messages_expired,
            "lastExpireTimestamp": own_meter.changed_ms[1],
            "type": subscription.type.label,
            "lastConsumedTimestamp": max((each.changed_ms[0] for each in meters), default=0),
            "lastAckedTimestamp": max((each.changed_ms[3] for each in meters), default=0),
            **{key: _sum_of(consumers, key) for key in _DRAINING_SUMS},
            "consumers": consumers,
            "isDurable": subscription.durable,
            "durable": subscription.durable,
            "subscriptionProperties": {},
            "nonContiguousDeletedMessagesRanges": 0,
        }
        self._add_particulars(stats, subscription)
        return stats

    def _add_particulars(self, stats: Stats, subscription: Subscription) -> None:
        """What only some types of subscriptions, or of topics, have to tell."""
        cursor = subscription.cursor
        if subscription.type is SubscriptionType.KEY_SHARED:
            stats["keySharedMode"] = subscription.sharing.label
            stats["allowOutOfOrderDelivery"] = subscription.sharing.out_of_order
            for consumer, one in zip(subscription.consumers, stats["consumers"], strict=True):
                one["keyHashRangeArrays"] = hash_ranges(subscription.dispatcher, consumer)
        active = active_consumer(subscription.dispatcher)
        if active is not None:
            stats["activeConsumerName"] = active.name
        if isinstance(cursor, VolatileCursor):
            stats["msgDropRate"] = self._sampler.meter_of(subscription).rates[0]
        else:
            stats["subscriptionProperties"] = dict(cursor.properties)
            stats["nonContiguousDeletedMessagesRanges"] = cursor.range_count

    def _of_consumer(self, consumer: Consumer) -> Stats:
        meter = self._sampler.meter_of(consumer)
        rate_out, throughput_out, redelivered, acked = meter.rates
        consumed_ms, _, _, acked_ms = meter.changed_ms
        return {
            **_CONSUMER_DEFAULTS,
            "msgRateOut": rate_out,
            "msgThroughputOut": throughput_out,
            "bytesOutCounter": consumer.bytes_out,
            "msgOutCounter": consumer.messages_out,
            "msgRateRedeliver": redelivered,
            "messageAckRate": acked,
            "consumerName": consumer.name,
            "availablePermits": consumer.permits,
            "unackedMessages": consumer.unacked,
            "avgMessagesPerEntry": 0,
            "blockedConsumerOnUnackedMsgs": consumer.blocked,
            "address": f"/{consumer.link.remote_address}",
            "connectedSince": consumer.connected_since,
            "clientVersion": consumer.link.client_version,
            "lastAckedTimestamp": acked_ms,
            "lastConsumedTimestamp": consumed_ms,
            "metadata": dict(consumer.options.metadata),
            "lastAckedTime": iso_time(acked_ms),
            "lastConsumedTime": iso_time(consumed_ms),
        }


def iso_time(time_ms: int) -> str:
    """A time of the wall clock as Java prints it."""
    seconds, millis = divmod(time_ms, 1000)
    fraction = f".{millis:03d}" if millis else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _sum_of(stats: list[Stats], key: str) -> Any:
    return sum(each[key] for each in stats)


def _backlog_bytes(topic: Topic, backlog_entries: int) -> int:
    """About as many, if entries are of one size: which ones are left is not walked."""
    entries = topic.ledger.entries_total
    return topic.ledger.size * backlog_entries // entries if entries else 0
