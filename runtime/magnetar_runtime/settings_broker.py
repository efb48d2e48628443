"""The keys of `broker.conf` that say how clients, topics and subscriptions are served."""

from dataclasses import dataclass

from magnetar_runtime.conf import setting
from magnetar_runtime.limits import MIB


@dataclass(frozen=True, kw_only=True)
class ConnectionSettings:
    """Bounds of one connection, and of all together."""

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
    shutdown_timeout_ms: int = setting(
        "brokerShutdownTimeoutMs", 60_000, "Time for handing over and closing topics at the end."
    )


@dataclass(frozen=True, kw_only=True)
class TopicSettings:
    """Which topics there may be, how they come and how they go."""

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
    force_delete_namespaces: bool = setting(
        "forceDeleteNamespaceAllowed", False, "Namespaces may be deleted with their topics."
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


@dataclass(frozen=True, kw_only=True)
class MetricsSettings:
    """How fine metrics are."""

    topic_metrics: bool = setting(
        "exposeTopicLevelMetricsInPrometheus", True, "Metrics of topics, else of namespaces."
    )
    consumer_metrics: bool = setting(
        "exposeConsumerLevelMetricsInPrometheus", False, "Metrics of each consumer too."
    )
    producer_metrics: bool = setting(
        "exposeProducerLevelMetricsInPrometheus", False, "Metrics of each producer too."
    )
    split_partition_label: bool = setting(
        "splitTopicAndPartitionLabelInPrometheus", False, "A label of its own for partitions."
    )


@dataclass(frozen=True, kw_only=True)
class DedupSettings:
    """What is kept to know messages that are sent again."""

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


@dataclass(frozen=True, kw_only=True)
class SubscriptionSettings:
    """How messages are sent to consumers, and how many they may hold."""

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
    max_unacked_messages_per_broker: int = setting(
        "maxUnackedMessagesPerBroker", 0, "Of all Shared subscriptions; 0 = no limit."
    )
    max_unacked_share_of_subscription: float = setting(
        "maxUnackedMessagesPerSubscriptionOnBrokerBlocked",
        0.16,
        "Share of that limit which a subscription may hold once the limit is reached.",
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
    delayed_index_bucket_rows: int = setting(
        "delayedDeliveryMinIndexCountPerBucket",
        50_000,
        "So many delayed messages of a subscription leave memory for a ledger.",
    )
    delayed_index_segment_rows: int = setting(
        "delayedDeliveryMaxIndexesPerBucketSnapshotSegment",
        5_000,
        "So many of them are read back at a time.",
    )
    delayed_index_memory_mb: int = setting(
        "delayedDeliveryIndexMemoryLimitMb",
        64,
        "Of all subscriptions; from half of it on they leave memory sooner. Ours.",
    )
