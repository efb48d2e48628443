"""What there is to tell of one topic, subscription, consumer or producer, in order of `columns`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from magnetar_broker.metrics import columns
from magnetar_broker.stats.dispatch_stats import entries_in_replay, held_back

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer
    from magnetar_broker.metrics.table import Values
    from magnetar_broker.producer import Producer
    from magnetar_broker.publish_cells import Buckets
    from magnetar_broker.stats.sampler import StatsSampler
    from magnetar_broker.subscription import Subscription
    from magnetar_broker.topic import Topic


_NO_SUBSCRIPTION: Final = (0,) * len(columns.SUBSCRIPTION)
_NO_RATES: Final = (0.0,) * 4


def added(rows: Sequence[Values]) -> Values:
    """The sum of each column; nothing if there are no rows."""
    return rows[0] if len(rows) == 1 else tuple(map(sum, zip(*rows, strict=True)))


class TopicValues:
    """Of one topic and its subscriptions, as they are now; rates are the sampler's.

    Attributes:
        values: The topic's.
        out: Of its subscriptions together: messages and bytes sent, entries delayed, in replay.
        subscriptions: Theirs.
    """

    def __init__(self, topic: Topic, sampler: StatsSampler) -> None:
        self._sampler = sampler
        subscriptions = topic.subscriptions.values()
        self.subscriptions = [
            (each, subscription_values(each, sampler)) for each in list(subscriptions)
        ]
        rows = [values for _, values in self.subscriptions]
        together = added(rows) or _NO_SUBSCRIPTION
        self.out = together[:4]
        rate_in, throughput_in, entry_rate = sampler.meter_of(topic).rates[:3]
        size, policies = topic.ledger.size, topic.policies
        self.values: Values = (
            len(rows),
            len(topic.producers),
            together[columns.CONSUMERS],
            rate_in,
            together[columns.RATE_OUT],
            throughput_in,
            together[columns.THROUGHPUT_OUT],
            together[columns.BACKLOG],
            size * replicas_of(topic),
            size,
            entry_rate,
            topic.messages_in,
            topic.bytes_in,
            together[columns.INDEX_SIZE],
            topic.backlog.size_bytes if rows else 0,
            *_buckets(topic.publishing.cells.latencies),
            *_buckets(topic.publishing.cells.sizes),
            throughput_in / rate_in if rate_in else 0.0,
            policies.storage_quota.limit,
            policies.age_quota.limit,
            topic.publish_rate.times_held,
        )


def replicas_of(topic: Topic) -> int:
    """On how many bookies an entry of it is."""
    quorums = topic.policies.ledger.quorums or topic.service.config.policy.quorums
    return quorums[1]


def subscription_values(subscription: Subscription, sampler: StatsSampler) -> Values:
    """Of one subscription: see `columns.SUBSCRIPTION`."""
    consumers = subscription.consumers
    meters = [sampler.meter_of(consumer) for consumer in consumers]
    rates = added([meter.rates for meter in meters]) or _NO_RATES
    drop_rate, expire_rate = sampler.meter_of(subscription).rates[:2]
    delayed, index_bytes = subscription.delayed
    backlog = subscription.cursor.backlog_entries
    dispatcher = subscription.dispatcher
    return (
        *subscription.sent,
        delayed,
        entries_in_replay(dispatcher),
        index_bytes,
        backlog,
        backlog - delayed,
        sum(consumer.unacked for consumer in consumers),
        int(subscription.blocked or held_back(dispatcher)),
        len(consumers),
        *rates,
        expire_rate,
        subscription.messages_expired,
        drop_rate,
        sampler.meter_of(subscription).changed_ms[1],
        max((meter.changed_ms[3] for meter in meters), default=0),
        max((meter.changed_ms[0] for meter in meters), default=0),
    )


def consumer_values(consumer: Consumer, sampler: StatsSampler) -> Values:
    """Of one consumer: see `columns.CONSUMER`."""
    return (
        consumer.messages_out,
        consumer.bytes_out,
        *sampler.meter_of(consumer).rates,
        consumer.permits,
        consumer.unacked,
        int(consumer.blocked),
    )


def producer_values(producer: Producer, sampler: StatsSampler) -> Values:
    """Of one producer: see `columns.PRODUCER`."""
    rate, throughput = sampler.meter_of(producer).rates[:2]
    return rate, throughput, throughput / rate if rate else 0.0


def _buckets(buckets: Buckets) -> Values:
    cells, total = buckets
    return (*cells, sum(cells), total)
