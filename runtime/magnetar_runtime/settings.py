"""The keys of `broker.conf`, `standalone.conf` and `bookkeeper.conf` that have an effect here.

Names are Pulsar's and BookKeeper's, verbatim; so are defaults, except where the doc says "here".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from magnetar_runtime.conf import keys_of, setting
from magnetar_runtime.errors import ConfError
from magnetar_runtime.limits import MIB, Limits

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
    "statsUpdateFrequencyInSecs": _POSITIVE,
    "journalMaxSizeMB": _POSITIVE,
    "flushInterval": _POSITIVE,
    "diskCheckInterval": _POSITIVE,
    "compactionRateByBytes": _POSITIVE,
    "dbStorage_writeCacheMaxSizeMb": _POSITIVE,
}
"""What numbers may be, least and most; others may be anything from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandaloneSettings:
    """Settings of `magnetar standalone`."""

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
    cluster_name: str = setting("clusterName", "standalone", "Name of the cluster.")

    # Connections.
    keep_alive_interval_seconds: int = setting(
        "keepAliveIntervalSeconds", 30, "PING after this; close if all was silent till the next."
    )
    connection_liveness_check_timeout_ms: int = setting(
        "connectionLivenessCheckTimeoutMillis", 5000, "Wait for the PONG of an old owner."
    )
    max_message_bytes: int = setting("maxMessageSize", 5 * MIB, "Largest message, in bytes.")
    max_pending_publishes_per_connection: int = setting(
        "maxPendingPublishRequestsPerConnection", 1000, "Above it the socket is not read."
    )
    publish_buffer_mb: int = setting(
        "maxMessagePublishBufferSizeInMB", 256, "Bytes under way over all connections."
    )
    max_connections: int = setting("brokerMaxConnections", 0, "Connections; 0 = no limit.")
    max_connections_per_ip: int = setting(
        "brokerMaxConnectionsPerIp", 0, "Connections from one address; 0 = no limit."
    )
    max_concurrent_lookups: int = setting(
        "maxConcurrentLookupRequest", 50_000, "Lookups in work at one time."
    )
    max_concurrent_topic_loads: int = setting(
        "maxConcurrentTopicLoadRequest", 5_000, "Topics being opened at one time."
    )
    topic_load_timeout_seconds: int = setting(
        "topicLoadTimeoutSeconds", 60, "Time for opening a topic."
    )

    # Topics.
    allow_auto_topic_creation: bool = setting(
        "allowAutoTopicCreation", True, "Producers and consumers create topics."
    )
    allow_auto_topic_creation_type: str = setting(
        "allowAutoTopicCreationType", "non-partitioned", "Or partitioned."
    )
    default_num_partitions: int = setting(
        "defaultNumPartitions", 1, "Partitions of topics created so."
    )
    allow_auto_subscription_creation: bool = setting(
        "allowAutoSubscriptionCreation", True, "Consumers create subscriptions."
    )
    max_topics_per_namespace: int = setting("maxTopicsPerNamespace", 0, "0 = no limit.")
    max_producers_per_topic: int = setting("maxProducersPerTopic", 0, "0 = no limit.")
    max_consumers_per_topic: int = setting("maxConsumersPerTopic", 0, "0 = no limit.")
    max_consumers_per_subscription: int = setting("maxConsumersPerSubscription", 0, "0 = no limit.")
    max_subscriptions_per_topic: int = setting("maxSubscriptionsPerTopic", 0, "0 = no limit.")
    max_partitions_per_topic: int = setting(
        "maxNumPartitionsPerPartitionedTopic", 0, "0 = no limit."
    )
    persistent_topics: bool = setting("enablePersistentTopics", True, "Serve persistent topics.")
    non_persistent_topics: bool = setting(
        "enableNonPersistentTopics", True, "Serve non-persistent topics."
    )
    broker_side_patterns: bool = setting(
        "enableBrokerSideSubscriptionPatternEvaluation", True, "Match patterns for clients."
    )
    max_topic_pattern_length: int = setting(
        "subscriptionPatternMaxLength", 50, "Characters; longer ones are left to clients."
    )
    delete_inactive_topics: bool = setting(
        "brokerDeleteInactiveTopicsEnabled", True, "Delete topics that nobody uses or subscribes."
    )
    inactive_topics_interval_seconds: int = setting(
        "brokerDeleteInactiveTopicsFrequencySeconds", 60, "Look for such topics so often."
    )
    inactive_topic_seconds: int = setting(
        "brokerDeleteInactiveTopicsMaxInactiveDurationSeconds",
        0,
        "Unused for so long; 0 means one interval.",
    )

    stats_update_seconds: int = setting(
        "statsUpdateFrequencyInSecs", 10, "Rates are measured so often; 10 here."
    )

    # Deduplication.
    dedup_enabled: bool = setting(
        "brokerDeduplicationEnabled", False, "Messages that are sent again are stored once."
    )
    dedup_max_producers: int = setting(
        "brokerDeduplicationMaxNumberOfProducers", 10_000, "Sequence ids kept per topic."
    )
    dedup_entries_interval: int = setting(
        "brokerDeduplicationEntriesInterval", 1_000, "Keep sequence ids after so many entries."
    )
    dedup_snapshot_frequency_seconds: int = setting(
        "brokerDeduplicationSnapshotFrequencyInSeconds", 120, "Look for old ones so often."
    )
    dedup_snapshot_interval_seconds: int = setting(
        "brokerDeduplicationSnapshotIntervalSeconds", 120, "Keep them when they are that old."
    )
    dedup_producer_inactivity_minutes: int = setting(
        "brokerDeduplicationProducerInactivityTimeoutMinutes", 360, "Forget producers after it."
    )

    # Subscriptions and dispatch.
    batch_index_acks: bool = setting(
        "acknowledgmentAtBatchIndexLevelEnabled",
        True,
        "Acknowledge single messages of a batch; on by default here.",
    )
    max_unacked_messages_per_consumer: int = setting(
        "maxUnackedMessagesPerConsumer", 50_000, "Shared only; 0 = no limit."
    )
    max_unacked_messages_per_subscription: int = setting(
        "maxUnackedMessagesPerSubscription", 200_000, "Shared only; 0 = no limit."
    )
    key_shared_enabled: bool = setting(
        "subscriptionKeySharedEnable", True, "Whether Key_Shared subscriptions are served."
    )
    key_shared_consistent_hashing: bool = setting(
        "subscriptionKeySharedUseConsistentHashing",
        True,
        "Share keys out by consistent hashing; off, a new consumer halves the largest range.",
    )
    key_shared_points_per_consumer: int = setting(
        "subscriptionKeySharedConsistentHashingReplicaPoints",
        100,
        "Points of a Key_Shared consumer on the hash ring.",
    )
    key_shared_look_ahead_per_consumer: int = setting(
        "keySharedLookAheadMsgInReplayThresholdPerConsumer",
        2_000,
        "Entries that wait, times the consumers, before Key_Shared reads no further.",
    )
    key_shared_look_ahead_per_subscription: int = setting(
        "keySharedLookAheadMsgInReplayThresholdPerSubscription",
        20_000,
        "Entries that wait before Key_Shared reads no further.",
    )
    active_consumer_failover_delay_ms: int = setting(
        "activeConsumerFailoverDelayTimeMillis", 1000, "Wait before a new active one begins."
    )
    dispatcher_max_read_batch_entries: int = setting(
        "dispatcherMaxReadBatchSize", 1000, "Entries of one read; 1000 here."
    )
    dispatcher_max_read_bytes: int = setting(
        "dispatcherMaxReadSizeBytes", 1 * MIB, "Bytes of one read; 1 MiB here."
    )
    dispatcher_max_round_robin_messages: int = setting(
        "dispatcherMaxRoundRobinBatchSize", 20, "Messages for one consumer before the next."
    )

    delayed_delivery: bool = setting(
        "delayedDeliveryEnabled", True, "Hold messages back until their time; Shared only."
    )
    delayed_delivery_tick_ms: int = setting(
        "delayedDeliveryTickTimeMillis", 1000, "How exact delays are."
    )
    delayed_delivery_strict: bool = setting(
        "isDelayedDeliveryDeliverAtTimeStrict", False, "Never early; else up to a tick."
    )

    # Managed ledgers and cursors.
    max_entries_per_ledger: int = setting(
        "managedLedgerMaxEntriesPerLedger", 50_000, "Roll over behind so many entries."
    )
    max_ledger_mb: int = setting(
        "managedLedgerMaxSizePerLedgerMbytes", 2048, "Roll over behind so many bytes."
    )
    min_ledger_rollover_minutes: int = setting(
        "managedLedgerMinLedgerRolloverTimeMinutes", 10, "No roll over by entries before this."
    )
    max_ledger_rollover_minutes: int = setting(
        "managedLedgerMaxLedgerRolloverTimeMinutes", 240, "Roll over after this."
    )
    cursor_max_entries_per_ledger: int = setting(
        "managedLedgerCursorMaxEntriesPerLedger", 50_000, "Roll a cursor's ledger over."
    )
    cursor_rollover_seconds: int = setting(
        "managedLedgerCursorRolloverTimeInSeconds", 14_400, "Roll a cursor's ledger over."
    )
    mark_delete_rate_per_second: float = setting(
        "managedLedgerDefaultMarkDeleteRateLimit", 1.0, "Writes of a cursor per second."
    )
    cursor_flush_seconds: int = setting(
        "managedLedgerCursorPositionFlushSeconds", 60, "Write changed cursors at least so often."
    )
    managed_ledger_cache_mb: int = setting(
        "managedLedgerCacheSizeMB", 64, "Entries kept for tailing consumers; 64 here."
    )
    retention_minutes: int = setting(
        "defaultRetentionTimeInMinutes", 0, "Keep acknowledged entries; -1 = for ever."
    )
    retention_mb: int = setting(
        "defaultRetentionSizeInMB", 0, "Keep acknowledged entries; -1 = all."
    )
    retention_check_interval_seconds: int = setting(
        "retentionCheckIntervalInSeconds", 120, "Trim ledgers so often."
    )

    # The bookie.
    ledger_directories: str = setting(
        "ledgerDirectories", "", "Comma separated; empty: one in the data directory."
    )
    journal_directories: str = setting(
        "journalDirectories", "", "Comma separated; empty: one in the data directory."
    )
    journal_sync_data: bool = setting(
        "journalSyncData", True, "fdatasync before a receipt; off loses data at a power cut."
    )
    journal_max_mb: int = setting("journalMaxSizeMB", 256, "Length of a journal file; 256 here.")
    flush_interval_ms: int = setting(
        "flushInterval", 10_000, "Longest time between flushes of the write cache."
    )
    write_cache_mb: int = setting(
        "dbStorage_writeCacheMaxSizeMb", 64, "Write cache, both halves; 64 here."
    )
    read_ahead_cache_mb: int = setting(
        "dbStorage_readAheadCacheMaxSizeMb", 32, "Read-ahead cache; 32 here."
    )
    disk_full_share: float = setting(
        "diskUsageThreshold", 0.95, "Used share of a disk from which on no entries are taken."
    )
    disk_warn_share: float = setting(
        "diskUsageWarnThreshold", 0.90, "Used share of a disk that is worth a warning."
    )
    disk_low_water_share: float = setting(
        "diskUsageLwmThreshold",
        0.0,
        "Used share below which a full disk has room again; 0 means 98 % of the threshold here.",
    )
    disk_check_interval_ms: int = setting(
        "diskCheckInterval", 10_000, "Look at the disks so often; ten times that when nearly full."
    )
    disk_min_free_bytes: int = setting(
        "minUsableSizeForEntryLogCreation",
        0,
        "A disk with less room is full; 0 means the write cache and two journal files here.",
    )
    disk_recovery_free_bytes: int = setting(
        "minUsableSizeForHighPriorityWrites",
        0,
        "With less room recovery adds are refused too; 0 means minUsableSizeForEntryLogCreation.",
    )
    minor_compaction_share: float = setting(
        "minorCompactionThreshold", 0.2, "Entry logs of which less is alive are compacted often."
    )
    minor_compaction_interval_s: int = setting(
        "minorCompactionInterval", 3_600, "How often, in seconds; 0 is never."
    )
    major_compaction_share: float = setting(
        "majorCompactionThreshold", 0.8, "Entry logs of which less is alive are compacted at times."
    )
    major_compaction_interval_s: int = setting(
        "majorCompactionInterval", 86_400, "How often, in seconds; 0 is never."
    )
    compaction_bytes_per_s: int = setting(
        "compactionRateByBytes", 1_000_000, "Bytes that compaction copies in a second."
    )

    # What would open the broker to everybody if it were passed over in silence.
    authentication: bool = setting(
        "authenticationEnabled", False, "Not built yet: true is refused."
    )
    authorization: bool = setting("authorizationEnabled", False, "Not built yet: true is refused.")

    def __post_init__(self) -> None:
        if self.allow_auto_topic_creation_type not in ("partitioned", "non-partitioned"):
            raise ConfError("allowAutoTopicCreationType", "neither partitioned nor non-partitioned")
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
            max_topic_pattern_length=self.max_topic_pattern_length,
            max_producers_per_topic=self.max_producers_per_topic,
            max_topics_per_namespace=self.max_topics_per_namespace,
            max_partitions_per_topic=self.max_partitions_per_topic,
        )
