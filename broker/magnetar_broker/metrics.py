"""The broker's metrics under the names that Pulsar's dashboards chart, read at scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from magnetar_runtime.counters import Family, Kind, Sample

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService
    from magnetar_broker.subscription import Subscription
    from magnetar_broker.topic import Topic

_TopicValue = Callable[["Topic"], int]
_SubscriptionValue = Callable[["Subscription"], int]

_TOPIC_FAMILIES: tuple[tuple[str, Kind, str, _TopicValue], ...] = (
    (
        "pulsar_subscriptions_count",
        Kind.GAUGE,
        "Subscriptions of a topic.",
        lambda topic: len(topic.subscriptions),
    ),
    (
        "pulsar_producers_count",
        Kind.GAUGE,
        "Producers that are connected to a topic.",
        lambda topic: len(topic.producers),
    ),
    (
        "pulsar_consumers_count",
        Kind.GAUGE,
        "Consumers that are connected to a topic.",
        lambda topic: sum(len(each.consumers) for each in topic.subscriptions.values()),
    ),
    (
        "pulsar_in_messages_total",
        Kind.COUNTER,
        "Messages stored since the topic was loaded.",
        lambda topic: topic.messages_in,
    ),
    (
        "pulsar_in_bytes_total",
        Kind.COUNTER,
        "Bytes stored since the topic was loaded.",
        lambda topic: topic.bytes_in,
    ),
    (
        "pulsar_out_messages_total",
        Kind.COUNTER,
        "Messages sent to consumers since the topic was loaded.",
        lambda topic: sum(each.sent[0] for each in topic.subscriptions.values()),
    ),
    (
        "pulsar_out_bytes_total",
        Kind.COUNTER,
        "Bytes sent to consumers since the topic was loaded.",
        lambda topic: sum(each.sent[1] for each in topic.subscriptions.values()),
    ),
    (
        "pulsar_msg_backlog",
        Kind.GAUGE,
        "Entries that the subscriptions of a topic have not acknowledged.",
        lambda topic: sum(each.cursor.backlog_entries for each in topic.subscriptions.values()),
    ),
    (
        "pulsar_storage_size",
        Kind.GAUGE,
        "Payload bytes that a topic keeps.",
        lambda topic: topic.ledger.size,
    ),
)

_SUBSCRIPTION_FAMILIES: tuple[tuple[str, Kind, str, _SubscriptionValue], ...] = (
    (
        "pulsar_subscription_back_log",
        Kind.GAUGE,
        "Entries that a subscription has not acknowledged.",
        lambda subscription: subscription.cursor.backlog_entries,
    ),
    (
        "pulsar_subscription_consumers_count",
        Kind.GAUGE,
        "Consumers that are connected to a subscription.",
        lambda subscription: len(subscription.consumers),
    ),
    (
        "pulsar_subscription_unacked_messages",
        Kind.GAUGE,
        "Messages that consumers have and have not acknowledged.",
        lambda subscription: sum(each.unacked for each in subscription.consumers),
    ),
    (
        "pulsar_subscription_delayed",
        Kind.GAUGE,
        "Messages that wait for their time.",
        lambda subscription: subscription.delayed[0],
    ),
    (
        "pulsar_delayed_message_index_size_bytes",
        Kind.GAUGE,
        "What the index of delayed messages takes in memory.",
        lambda subscription: subscription.delayed[1],
    ),
)


def families(service: BrokerService) -> Iterator[Family]:
    """What there is to tell of a broker; samples are made while they are walked."""
    cluster = {"cluster": service.config.cluster}
    yield _one(
        "pulsar_topics_count", "Topics that are loaded.", cluster, len(service.topics.loaded)
    )
    yield _one(
        "pulsar_active_connections",
        "Connections that are open.",
        cluster,
        len(service.connections),
    )
    opened = Sample(cluster, service.connections_opened)
    yield Family(
        "pulsar_connection_created_total_count",
        Kind.COUNTER,
        "Connections that were accepted since the start.",
        (opened,),
    )
    for name, kind, help_text, value in _TOPIC_FAMILIES:
        yield Family(name, kind, help_text, _of_topics(service, value))
    for name, kind, help_text, of_subscription in _SUBSCRIPTION_FAMILIES:
        yield Family(name, kind, help_text, _of_subscriptions(service, of_subscription))


def _one(name: str, help_text: str, labels: dict[str, str], value: int) -> Family:
    return Family(name, Kind.GAUGE, help_text, (Sample(labels, value),))


def _of_topics(service: BrokerService, value: _TopicValue) -> Iterable[Sample]:
    # A copy: other work has its turn between samples, and topics come and go.
    for topic in list(service.topics.loaded.values()):
        yield Sample(_labels(service, topic), value(topic))


def _of_subscriptions(service: BrokerService, value: _SubscriptionValue) -> Iterable[Sample]:
    for topic in list(service.topics.loaded.values()):
        for subscription in list(topic.subscriptions.values()):
            labels = {**_labels(service, topic), "subscription": subscription.name}
            yield Sample(labels, value(subscription))


def _labels(service: BrokerService, topic: Topic) -> dict[str, str]:
    return {
        "cluster": service.config.cluster,
        "namespace": str(topic.name.namespace),
        "topic": str(topic.name),
    }
