"""The named limits of consuming, with Pulsar's defaults where it has them."""

from dataclasses import dataclass


@dataclass(slots=True)
class ConsumeLimits:
    """Built once from the broker's configuration. Each topic has a copy, which follows its policies
    (`Topic.apply`) while its subscriptions look at it.

    Attributes:
        batch_index_ack_enabled: Key `acknowledgmentAtBatchIndexLevelEnabled` (on here).
        max_unacked_messages_per_consumer: Shared only; 0 is unlimited.
        max_unacked_messages_per_subscription: Shared only; 0 is unlimited.
        max_unacked_messages_per_broker: Of all Shared and Key_Shared ones; 0 is unlimited.
        max_unacked_share_of_subscription: Of that limit, what one subscription may hold once it is
            reached (`maxUnackedMessagesPerSubscriptionOnBrokerBlocked`).
        max_consumers_per_subscription, max_consumers_per_topic, max_subscriptions_per_topic: 0 is
            unlimited.
        key_shared_enabled: Key `subscriptionKeySharedEnable`.
        key_shared_consistent_hashing: Key `subscriptionKeySharedUseConsistentHashing`; off, a new
            consumer takes half of the largest range.
        key_shared_points_per_consumer: Key `subscriptionKeySharedConsistentHashingReplicaPoints`.
        key_shared_look_ahead_per_consumer, key_shared_look_ahead_per_subscription: So many entries
            that cannot be sent now are passed by (`keySharedLookAheadMsgInReplayThreshold...`).
        failover_delay_ms: Key `activeConsumerFailoverDelayTimeMillis`.
        round_robin_max_entries: Key `dispatcherMaxRoundRobinBatchSize`.
        read_max_entries: Entries that one read of cache or storage may give. Key
            `dispatcherMaxReadBatchSize` (100 in Pulsar).
        read_max_bytes: Bytes that one read of cache or storage may give; two such reads per
            subscription is the most that a slow consumer holds in memory. Key
            `dispatcherMaxReadSizeBytes` (5 MiB in Pulsar).
        turn_max_bytes: Bytes handed to connections before the loop gets its turn.
        read_retry_ms: Pause after a failed read.
        reader_reconnect_ms: How long a non-durable subscription waits after a seek for its consumer
            to come back.
        delayed_delivery_enabled: Key `delayedDeliveryEnabled`; Shared only.
        delayed_delivery_tick_ms: Key `delayedDeliveryTickTimeMillis`.
        delayed_delivery_strict: Key `isDelayedDeliveryDeliverAtTimeStrict`: never early; else up to
            a tick.
        delayed_index_bucket_rows: So many rows in memory are stored in a ledger. Key
            `delayedDeliveryMinIndexCountPerBucket`.
        delayed_index_segment_rows: So many of them are read back at a time. Key
            `delayedDeliveryMaxIndexesPerBucketSnapshotSegment`.
        delayed_index_memory_bytes: What all indexes together take at most. From half of it on they
            store smaller buckets; at the limit delayed messages are read no further. Key
            `delayedDeliveryIndexMemoryLimitMb`, ours: Pulsar has no such limit.
    """

    batch_index_ack_enabled: bool = True
    max_unacked_messages_per_consumer: int = 50_000
    max_unacked_messages_per_subscription: int = 200_000
    max_unacked_messages_per_broker: int = 0
    max_unacked_share_of_subscription: float = 0.16
    max_consumers_per_subscription: int = 0
    max_consumers_per_topic: int = 0
    max_subscriptions_per_topic: int = 0
    key_shared_enabled: bool = True
    key_shared_consistent_hashing: bool = True
    key_shared_points_per_consumer: int = 100
    key_shared_look_ahead_per_consumer: int = 2_000
    key_shared_look_ahead_per_subscription: int = 20_000
    failover_delay_ms: int = 1_000
    round_robin_max_entries: int = 20
    read_max_entries: int = 1_000
    read_max_bytes: int = 1 << 20
    turn_max_bytes: int = 1 << 20
    read_retry_ms: int = 1_000
    reader_reconnect_ms: int = 60_000
    delayed_delivery_enabled: bool = True
    delayed_delivery_tick_ms: int = 1_000
    delayed_delivery_strict: bool = False
    delayed_index_bucket_rows: int = 50_000
    delayed_index_segment_rows: int = 5_000
    delayed_index_memory_bytes: int = 64 << 20
