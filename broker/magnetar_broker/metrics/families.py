"""The broker's metrics as families, read at scrape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import add
from typing import TYPE_CHECKING, Final

from magnetar_runtime.counters import Family, Kind, Sample
from magnetar_runtime.metrics import label_pairs

from magnetar_broker.metrics import columns
from magnetar_broker.metrics.table import Table, Values, families_of
from magnetar_broker.metrics.values import (
    TopicValues,
    consumer_values,
    producer_values,
    replicas_of,
)

if TYPE_CHECKING:
    from magnetar_broker.metrics.config import MetricsConfig
    from magnetar_broker.service import BrokerService
    from magnetar_broker.stats.sampler import StatsSampler
    from magnetar_broker.topic import Topic
    from magnetar_broker.topic_name import TopicName

_TOPICS_OF_A_STEP: Final = 8
_BROKER_SUMS: Final = len(columns.BROKER) - 1


def families(service: BrokerService) -> Iterator[Family | None]:
    """What there is to tell of a broker; None where others may have their turn."""
    yield from _of_connections(service)
    collected = _Collected(service)
    # A copy: topics come and go in the turns of others.
    for number, topic in enumerate(list(service.topics.loaded.values()), start=1):
        collected.look_at(topic)
        if number % _TOPICS_OF_A_STEP == 0:
            yield None
    for family in families_of(collected.tables()):
        yield family
        yield None


class _Collected:
    """Values of all topics, as they were when they were looked at."""

    def __init__(self, service: BrokerService) -> None:
        self._config = service.config.metrics
        self._sampler = service.sampler
        self._cluster = label_pairs({"cluster": service.config.cluster})
        self._fine = _Fine(self._config, self._sampler)
        self._namespaces: dict[str, tuple[int, Values]] = {}
        self._ledgers: dict[str, Values] = {}
        self._out_bytes = [0, 0]
        self._ledger_count = 0

    def look_at(self, topic: Topic) -> None:
        """Add a topic to all sums, and to the rows if there is one for each topic."""
        values = TopicValues(topic, self._sampler)
        name, namespace = topic.name, str(topic.name.namespace)
        if self._config.topics:
            labels = f"{self._cluster},{_labels(name, namespace, self._config)}"
            self._fine.add(labels, topic, values)
        sums = (*values.values[: columns.SUMMED], *values.out)
        number, before = self._namespaces.get(namespace, (0, None))
        self._namespaces[namespace] = (number + 1, _sum(before, sums))
        if values.out[1]:
            self._out_bytes[name.is_system] += int(values.out[1])
        if name.persistent:
            self._ledger_count += 1
            key = f"{namespace}/{name.domain}"
            self._ledgers[key] = _sum(self._ledgers.get(key), _of_ledger(topic, values.values))

    def tables(self) -> Sequence[Table]:
        """All that was collected."""
        counts, sums = Table([columns.TOPICS_COUNT]), Table(columns.NAMESPACE)
        for namespace, (number, values) in self._namespaces.items():
            labels = f"{self._cluster},{label_pairs({'namespace': namespace})}"
            counts.add(labels, (number,))
            sums.add(labels, values)
        ledgers = Table(columns.MANAGED_LEDGERS)
        for name, values in self._ledgers.items():
            ledgers.add(f"{self._cluster},{label_pairs({'namespace': name})}", values)
        fine = self._fine.tables if self._config.topics else (sums,)
        return (*self._of_broker(), counts, *fine, ledgers)

    def _of_broker(self) -> Sequence[Table]:
        total: Values = (0,) * _BROKER_SUMS
        number = 0
        for topics, values in self._namespaces.values():
            number += topics
            total = _sum(total, values[:_BROKER_SUMS])
        broker, out_bytes = Table(columns.BROKER), Table(columns.BROKER_OUT_BYTES)
        count = Table([columns.LEDGER_COUNT])
        broker.add(self._cluster, (number, *total))
        out_bytes.add(self._cluster, self._out_bytes)
        count.add(self._cluster, (self._ledger_count,))
        return broker, out_bytes, count


class _Fine:
    """A row for each topic and subscription, and for each consumer and producer if asked for."""

    def __init__(self, config: MetricsConfig, sampler: StatsSampler) -> None:
        self._config = config
        self._sampler = sampler
        self._topics = Table(columns.TOPIC)
        self._subscriptions = Table(columns.SUBSCRIPTION)
        self._consumers = Table(columns.CONSUMER)
        self._producers = Table(columns.PRODUCER)

    @property
    def tables(self) -> Sequence[Table]:
        tables = [self._topics, self._subscriptions]
        tables += [self._consumers] if self._config.consumers else []
        return [*tables, self._producers] if self._config.producers else tables

    def add(self, labels: str, topic: Topic, values: TopicValues) -> None:
        self._topics.add(labels, values.values)
        for subscription, row in values.subscriptions:
            own = f"{labels},{label_pairs({'subscription': subscription.name})}"
            self._subscriptions.add(own, row)
            for consumer in subscription.consumers if self._config.consumers else ():
                who = {"consumer_name": consumer.name, "consumer_id": str(consumer.consumer_id)}
                self._consumers.add(
                    f"{own},{label_pairs(who)}", consumer_values(consumer, self._sampler)
                )
        for producer in topic.producers.values() if self._config.producers else ():
            who = {"producer_name": producer.name, "producer_id": str(producer.producer_id)}
            self._producers.add(
                f"{labels},{label_pairs(who)}", producer_values(producer, self._sampler)
            )


def _labels(name: TopicName, namespace: str, config: MetricsConfig) -> str:
    labels = {"namespace": namespace, "topic": str(name)}
    if config.split_partition:
        labels |= {"topic": str(name.parent), "partition": str(name.partition_index)}
    return label_pairs(labels)


def _of_ledger(topic: Topic, values: Values) -> Values:
    throughput_in = values[columns.THROUGHPUT_IN]
    return (
        values[columns.WRITE_RATE],
        throughput_in,
        throughput_in * replicas_of(topic),
        values[columns.BACKLOG_OF_TOPIC],
        values[columns.SIZE_OF_TOPIC],
    )


def _sum(before: Values | None, values: Values) -> Values:
    return values if before is None else tuple(map(add, before, values))


def _of_connections(service: BrokerService) -> Iterator[Family]:
    config, opened = service.config, service.connections_opened
    cluster = {"cluster": config.cluster}
    labels = {**cluster, "broker": config.advertised_host, "metric": "broker_connection"}
    now = len(service.connections)
    for name, kind, text, value in (
        ("pulsar_active_connections", Kind.GAUGE, "Connections that are open.", now),
        ("pulsar_connection_created_total_count", Kind.COUNTER, "Those accepted.", opened),
        ("pulsar_connection_closed_total_count", Kind.COUNTER, "Those closed.", opened - now),
    ):
        yield Family(name, kind, text, (Sample(labels, value),))
    for name, text, value in (
        ("pulsar_broker_lookup_pending_requests", "Lookups under way.", service.lookups),
        ("pulsar_broker_topic_load_pending_requests", "Loads.", service.topics.loading_count),
    ):
        yield Family(name, Kind.GAUGE, text, (Sample(cluster, value),))
    version = Sample({**cluster, "version": service.version, "commit": ""}, 1)
    yield Family("pulsar_version_info", Kind.GAUGE, "The version in a label.", (version,))
