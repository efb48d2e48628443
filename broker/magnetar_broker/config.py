"""What the broker takes from the configuration, in typed form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from magnetar_metadata.broker_addresses import BrokerAddresses, Urls
from magnetar_runtime.limits import MIB, Limits
from magnetar_runtime.network import is_loopback
from magnetar_runtime.settings import ServiceSettings

from magnetar_broker.consume_limits import ConsumeLimits
from magnetar_broker.metrics.config import MetricsConfig
from magnetar_broker.ownership.advertised_listeners import addresses_of, parse_listeners
from magnetar_broker.policies.checks import CAUGHT_UP
from magnetar_broker.web_config import WebConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupConfig:
    """Deduplication (`brokerDeduplication...`).

    Attributes:
        max_producers: Of a topic; beyond it those that came first are forgotten.
        entries_interval: Keep the sequence ids after so many entries, but not more than once a
            second.
        snapshot_frequency_ms: How often is looked for sequence ids that were not kept for
            `snapshot_interval_ms`, and for producers that were away for `producer_timeout_ms`.
    """

    enabled: bool = False
    max_producers: int = 10_000
    entries_interval: int = 1_000
    snapshot_frequency_ms: int = 120_000
    snapshot_interval_ms: int = 120_000
    producer_timeout_ms: int = 360 * 60_000

    @classmethod
    def of(cls, settings: ServiceSettings) -> Self:
        """What the settings say of it."""
        return cls(
            enabled=settings.dedup_enabled,
            max_producers=settings.dedup_max_producers,
            entries_interval=settings.dedup_entries_interval,
            snapshot_frequency_ms=settings.dedup_snapshot_frequency_seconds * 1000,
            snapshot_interval_ms=settings.dedup_snapshot_interval_seconds * 1000,
            producer_timeout_ms=settings.dedup_producer_inactivity_minutes * 60_000,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyConfig:
    """What holds for topics for which no policy is set, and how often it is looked after.

    Attributes:
        retention_minutes, retention_mb: As the managed ledgers are told too; -1 is no limit.
        quorums: Ensemble size, write quorum, ack quorum: likewise.
        mark_delete_rate: Writes of a cursor in a second: likewise.
        quota_bytes, quota_seconds: Of the backlog; 0 or less is no limit.
        caught_up: Inactive topics go with subscriptions that have no backlog
            (`brokerDeleteInactiveTopicsMode`).
    """

    retention_minutes: int = 0
    retention_mb: int = 0
    quorums: tuple[int, int, int] = (1, 1, 1)
    mark_delete_rate: float = 1.0
    ttl_s: int = 0
    ttl_check_ms: int = 300_000
    quota_bytes: int = -1
    quota_seconds: int = -1
    quota_action: str = "producer_request_hold"
    quota_check_ms: int = 60_000
    subscription_expiration_minutes: int = 0
    subscription_expiration_check_ms: int = 300_000
    caught_up: bool = False

    @classmethod
    def of(cls, settings: ServiceSettings) -> Self:
        """What the settings say of it."""
        quota_bytes = settings.quota_bytes
        if quota_bytes < 0:
            quota_bytes = int(settings.quota_gb * (1 << 30)) if settings.quota_gb >= 0 else -1
        return cls(
            retention_minutes=settings.retention_minutes,
            retention_mb=settings.retention_mb,
            quorums=settings.quorums,
            mark_delete_rate=settings.mark_delete_rate_per_second,
            ttl_s=settings.ttl_seconds,
            ttl_check_ms=settings.ttl_check_minutes * 60_000,
            quota_bytes=quota_bytes,
            quota_seconds=settings.quota_seconds,
            quota_action=settings.quota_action,
            quota_check_ms=settings.quota_check_seconds * 1000 if settings.quota_check else 0,
            subscription_expiration_minutes=settings.subscription_expiration_minutes,
            subscription_expiration_check_ms=settings.subscription_expiration_check_minutes
            * 60_000,
            caught_up=settings.inactive_topics_mode == CAUGHT_UP,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerConfig:
    """Built once.

    Attributes:
        advertised_host: What lookups answer (`advertisedAddress`).
        broker_port, web_port: What lookups answer as ports.
        listeners: What they answer to clients of named listeners (`advertisedListeners`).
        internal_listener: Which of those is for everybody (`internalListenerName`).
        auto_topics_partitioned: Topics that clients create are partitioned
            (`allowAutoTopicCreationType`), with `default_partitions` partitions.
        broker_side_patterns: Match patterns of topic names here, and let clients follow lists
            (`enableBrokerSideSubscriptionPatternEvaluation`).
        persistent_topics, non_persistent_topics: Whether topics of the domain are served
            (`enablePersistentTopics`, `enableNonPersistentTopics`).
        delete_inactive_topics: Remove topics that had no producer and no subscription for
            `inactive_topic_ms`, looked for every `inactive_topics_interval_ms`.
        force_delete_namespaces: Administrators may delete a namespace with its topics
            (`forceDeleteNamespaceAllowed`).
        retention_check_interval_ms: Delete ledgers that are retained no longer so often; those that
            are not retained go as soon as all have consumed them.
        stats_interval_ms: Rates are those between two looks so far apart
            (`statsUpdateFrequencyInSecs`, 60 s in Pulsar).
    """

    cluster: str = "standalone"
    advertised_host: str = "localhost"
    broker_port: int = 6650
    listeners: Mapping[str, Urls] = field(default_factory=dict)
    internal_listener: str = ""
    web_port: int = 8080
    allow_auto_topic_creation: bool = True
    auto_topics_partitioned: bool = False
    default_partitions: int = 1
    allow_auto_subscription_creation: bool = True
    broker_side_patterns: bool = True
    persistent_topics: bool = True
    non_persistent_topics: bool = True
    delete_inactive_topics: bool = True
    force_delete_namespaces: bool = False
    inactive_topics_interval_ms: int = 60_000
    inactive_topic_ms: int = 60_000
    retention_check_interval_ms: int = 120_000
    stats_interval_ms: int = 10_000
    limits: Limits = field(default_factory=Limits)
    consume: ConsumeLimits = field(default_factory=ConsumeLimits)
    dedup: DedupConfig = field(default_factory=DedupConfig)
    web: WebConfig = field(default_factory=WebConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)

    @classmethod
    def of(cls, settings: ServiceSettings) -> Self:
        """The broker's part of the settings."""
        interval_seconds = settings.inactive_topics_interval_seconds
        return cls(
            cluster=settings.cluster_name,
            advertised_host=settings.advertised_address,
            broker_port=settings.broker_service_port or 0,
            web_port=settings.web_service_port or 0,
            listeners=parse_listeners(settings.advertised_listeners),
            internal_listener=settings.internal_listener_name,
            allow_auto_topic_creation=settings.allow_auto_topic_creation,
            auto_topics_partitioned=settings.allow_auto_topic_creation_type == "partitioned",
            default_partitions=settings.default_num_partitions,
            allow_auto_subscription_creation=settings.allow_auto_subscription_creation,
            broker_side_patterns=settings.broker_side_patterns,
            persistent_topics=settings.persistent_topics,
            non_persistent_topics=settings.non_persistent_topics,
            delete_inactive_topics=settings.delete_inactive_topics,
            force_delete_namespaces=settings.force_delete_namespaces,
            inactive_topics_interval_ms=interval_seconds * 1000,
            inactive_topic_ms=(settings.inactive_topic_seconds or interval_seconds) * 1000,
            retention_check_interval_ms=settings.retention_check_interval_seconds * 1000,
            stats_interval_ms=settings.stats_update_seconds * 1000,
            limits=settings.limits(),
            dedup=DedupConfig.of(settings),
            web=WebConfig.of(settings),
            metrics=MetricsConfig.of(settings),
            policy=PolicyConfig.of(settings),
            consume=_consume_limits(settings),
        )

    @property
    def advertises_loopback(self) -> bool:
        """Whether what lookups answer may mean another machine to a client than to the broker."""
        return is_loopback(self.advertised_host)

    @property
    def broker_id(self) -> str:
        """How the broker is called in the cluster: where its HTTP server is reached."""
        return f"{self.advertised_host}:{self.web_port}"

    @property
    def broker_url(self) -> str:
        return f"pulsar://{self.advertised_host}:{self.broker_port}"

    @property
    def addresses(self) -> BrokerAddresses:
        """Where clients and other brokers reach this one. Raises ConfError."""
        own = Urls(broker=self.broker_url, web=self.web_url)
        return addresses_of(own, self.listeners, self.internal_listener)

    @property
    def web_url(self) -> str:
        return f"http://{self.broker_id}"


def _consume_limits(settings: ServiceSettings) -> ConsumeLimits:
    return ConsumeLimits(
        batch_index_ack_enabled=settings.batch_index_acks,
        max_unacked_messages_per_consumer=settings.max_unacked_messages_per_consumer,
        max_unacked_messages_per_subscription=settings.max_unacked_messages_per_subscription,
        max_unacked_messages_per_broker=settings.max_unacked_messages_per_broker,
        max_unacked_share_of_subscription=settings.max_unacked_share_of_subscription,
        max_consumers_per_subscription=settings.max_consumers_per_subscription,
        max_consumers_per_topic=settings.max_consumers_per_topic,
        max_subscriptions_per_topic=settings.max_subscriptions_per_topic,
        key_shared_enabled=settings.key_shared_enabled,
        key_shared_consistent_hashing=settings.key_shared_consistent_hashing,
        key_shared_points_per_consumer=settings.key_shared_points_per_consumer,
        key_shared_look_ahead_per_consumer=settings.key_shared_look_ahead_per_consumer,
        key_shared_look_ahead_per_subscription=settings.key_shared_look_ahead_per_subscription,
        failover_delay_ms=settings.active_consumer_failover_delay_ms,
        round_robin_max_entries=settings.dispatcher_max_round_robin_messages,
        read_max_entries=settings.dispatcher_max_read_batch_entries,
        read_max_bytes=settings.dispatcher_max_read_bytes,
        delayed_delivery_enabled=settings.delayed_delivery,
        delayed_delivery_tick_ms=settings.delayed_delivery_tick_ms,
        delayed_delivery_strict=settings.delayed_delivery_strict,
        delayed_index_bucket_rows=settings.delayed_index_bucket_rows,
        delayed_index_segment_rows=settings.delayed_index_segment_rows,
        delayed_index_memory_bytes=settings.delayed_index_memory_mb * MIB,
    )
