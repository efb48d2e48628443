"""The keys of `broker.conf`, `standalone.conf` and `bookkeeper.conf` that have an effect here.

Names are Pulsar's and BookKeeper's, verbatim; so are defaults, except where the doc says "here".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from magnetar_runtime.conf import keys_of, setting
from magnetar_runtime.errors import ConfError
from magnetar_runtime.limits import MIB, Limits
from magnetar_runtime.settings_broker import (
    ConnectionSettings,
    DedupSettings,
    MetricsSettings,
    SubscriptionSettings,
    TopicSettings,
)
from magnetar_runtime.settings_policies import INACTIVE_MODES, QUOTA_ACTIONS, PolicySettings
from magnetar_runtime.settings_storage import BookieSettings, ManagedLedgerSettings
from magnetar_runtime.settings_web import WebSettings

LOOPBACK_HOSTS = ("127.0.0.1", "::1")

_PORTS = (0, 65_535)
_POSITIVE = (1, None)
_OR_UNLIMITED = (-1, None)
_RANGES: Final[Mapping[str, tuple[int, int | None]]] = {
    "brokerServicePort": _PORTS,
    "webServicePort": _PORTS,
    "keepAliveIntervalSeconds": _POSITIVE,
    "connectionLivenessCheckTimeoutMillis": _POSITIVE,
    # Several copies of a message of this size may be in memory at one time.
    "maxMessageSize": (1, 1 << 30),
    "maxPendingPublishRequestsPerConnection": _POSITIVE,
    "maxMessagePublishBufferSizeInMB": _POSITIVE,
    "maxConcurrentLookupRequest": _POSITIVE,
    "maxConcurrentTopicLoadRequest": _POSITIVE,
    "topicLoadTimeoutSeconds": _POSITIVE,
    "defaultNumPartitions": _POSITIVE,
    "brokerDeleteInactiveTopicsFrequencySeconds": _POSITIVE,
    "dispatcherMaxReadBatchSize": _POSITIVE,
    "delayedDeliveryTickTimeMillis": _POSITIVE,
    "delayedDeliveryIndexMemoryLimitMb": _POSITIVE,
    "delayedDeliveryMinIndexCountPerBucket": _POSITIVE,
    # A segment is one entry: at most 18 bytes per message in it, of 5 MiB.
    "delayedDeliveryMaxIndexesPerBucketSnapshotSegment": (1, 100_000),
    "dispatcherMaxReadSizeBytes": _POSITIVE,
    "dispatcherMaxRoundRobinBatchSize": _POSITIVE,
    "brokerDeduplicationMaxNumberOfProducers": _POSITIVE,
    "brokerDeduplicationEntriesInterval": _POSITIVE,
    "brokerDeduplicationSnapshotFrequencyInSeconds": _POSITIVE,
    "brokerDeduplicationSnapshotIntervalSeconds": _POSITIVE,
    "brokerDeduplicationProducerInactivityTimeoutMinutes": _POSITIVE,
    "managedLedgerMaxEntriesPerLedger": _POSITIVE,
    "managedLedgerMaxSizePerLedgerMbytes": _POSITIVE,
    "managedLedgerCursorPositionFlushSeconds": _POSITIVE,
    "defaultRetentionTimeInMinutes": _OR_UNLIMITED,
    "defaultRetentionSizeInMB": _OR_UNLIMITED,
    "retentionCheckIntervalInSeconds": _POSITIVE,
    "messageExpiryCheckIntervalInMinutes": _POSITIVE,
    "backlogQuotaCheckIntervalInSeconds": _POSITIVE,
    "backlogQuotaDefaultLimitBytes": _OR_UNLIMITED,
    "backlogQuotaDefaultLimitGB": _OR_UNLIMITED,
    "backlogQuotaDefaultLimitSecond": _OR_UNLIMITED,
    "subscriptionExpiryCheckIntervalInMinutes": _POSITIVE,
    "statsUpdateFrequencyInSecs": _POSITIVE,
    "webSocketSessionIdleTimeoutMillis": _POSITIVE,
    "webSocketPingDurationSeconds": _OR_UNLIMITED,
    "webSocketMaxTextFrameSize": _POSITIVE,
    "journalMaxSizeMB": _POSITIVE,
    "flushInterval": _POSITIVE,
    "diskCheckInterval": _POSITIVE,
    "compactionRateByBytes": _POSITIVE,
    "scrubberRateByBytes": _POSITIVE,
    "dbStorage_writeCacheMaxSizeMb": _POSITIVE,
}
"""What numbers may be, least and most; others may be anything from 0."""


@dataclass(frozen=True, kw_only=True)
class ServiceSettings(
    ConnectionSettings,
    TopicSettings,
    MetricsSettings,
    DedupSettings,
    SubscriptionSettings,
    PolicySettings,
    ManagedLedgerSettings,
    WebSettings,
):
    """Settings of a broker, wherever its bookies and its metadata are."""

    # Where it listens, and what it calls itself.
    broker_service_port: int | None = setting(
        "brokerServicePort", 6650, "Port of the binary protocol; empty turns it off."
    )
    web_service_port: int | None = setting(
        "webServicePort", 8080, "Port of HTTP; empty turns it off."
    )
    bind_address: str = setting(
        "bindAddress", "", "Address to listen on; empty means 127.0.0.1 and ::1 here."
    )
    advertised_address: str = setting(
        "advertisedAddress", "localhost", "Host name in answers to lookups."
    )
    advertised_listeners: str = setting(
        "advertisedListeners", "", "NAME:pulsar://HOST:PORT[,...]; the addresses of networks."
    )
    internal_listener_name: str = setting(
        "internalListenerName", "", "Of them, that for clients that name none; the first."
    )
    cluster_name: str = setting("clusterName", "standalone", "Name of the cluster.")

    # What would open the broker to everybody if it were passed over in silence.
    authentication: bool = setting(
        "authenticationEnabled", False, "Not built yet: true is refused."
    )
    authorization: bool = setting("authorizationEnabled", False, "Not built yet: true is refused.")

    def __post_init__(self) -> None:
        if self.allow_auto_topic_creation_type not in ("partitioned", "non-partitioned"):
            raise ConfError("allowAutoTopicCreationType", "neither partitioned nor non-partitioned")
        if self.quota_action not in QUOTA_ACTIONS:
            raise ConfError(
                "backlogQuotaDefaultRetentionPolicy", f"none of {', '.join(QUOTA_ACTIONS)}"
            )
        if self.inactive_topics_mode not in INACTIVE_MODES:
            raise ConfError(
                "brokerDeleteInactiveTopicsMode", f"none of {', '.join(INACTIVE_MODES)}"
            )
        values = {key: getattr(self, field) for key, field, _, _ in keys_of(type(self))}
        for key in ("authenticationEnabled", "authorizationEnabled"):
            if values[key]:
                raise ConfError(key, "not supported yet; set it to false to run open to everybody")
        for key, value in values.items():
            least, most = _RANGES.get(key, (0, None))
            if isinstance(value, str | bool) or value is None:
                continue
            if value < least:
                raise ConfError(key, f"{value} is less than {least}")
            if most is not None and value > most:
                raise ConfError(key, f"{value} is more than {most}")

    @property
    def quorums(self) -> tuple[int, int, int]:
        """Ensemble size, write quorum and ack quorum of a topic's ledgers."""
        return (1, 1, 1)

    @property
    def listen_hosts(self) -> tuple[str, ...]:
        """Where to listen: loopback unless told otherwise."""
        return (self.bind_address,) if self.bind_address else LOOPBACK_HOSTS

    def limits(self) -> Limits:
        """The bounds of the broker that these settings ask for."""
        defaults = Limits()
        return Limits(
            max_message_bytes=self.max_message_bytes,
            keep_alive_interval_ms=self.keep_alive_interval_seconds * 1000,
            connection_liveness_timeout_ms=self.connection_liveness_check_timeout_ms,
            max_connections=self.max_connections,
            max_connections_per_address=self.max_connections_per_ip,
            max_pending_publishes_per_connection=self.max_pending_publishes_per_connection,
            max_pending_publish_bytes_per_connection=max(
                defaults.max_pending_publish_bytes_per_connection, self.max_message_bytes
            ),
            max_publish_buffer_bytes=self.publish_buffer_mb * MIB,
            max_concurrent_lookups=self.max_concurrent_lookups,
            max_concurrent_topic_loads=self.max_concurrent_topic_loads,
            topic_load_timeout_ms=self.topic_load_timeout_seconds * 1000,
            shutdown_timeout_ms=self.shutdown_timeout_ms,
            max_topic_pattern_length=self.max_topic_pattern_length,
            max_producers_per_topic=self.max_producers_per_topic,
            max_topics_per_namespace=self.max_topics_per_namespace,
            max_partitions_per_topic=self.max_partitions_per_topic,
        )


@dataclass(frozen=True, kw_only=True)
class StandaloneSettings(ServiceSettings, BookieSettings):
    """Settings of `magnetar standalone`."""
