"""The policies that the broker's configuration gives to every topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magnetar_broker.policies.checks import AGE, CAUGHT_UP, INACTIVE_MODES, STORAGE

if TYPE_CHECKING:
    from magnetar_broker.config import BrokerConfig


def broker_level(config: BrokerConfig) -> dict[str, Any]:
    """By the names of `table.py`."""
    policy, consume = config.policy, config.consume
    ensemble, write, ack = policy.quorums
    return {
        "messageTTL": policy.ttl_s,
        "retention": {
            "retentionTimeInMinutes": policy.retention_minutes,
            "retentionSizeInMB": policy.retention_mb,
        },
        "backlogQuotaMap": {
            STORAGE: _quota(policy.quota_bytes, policy.quota_seconds, policy.quota_action),
            AGE: _quota(policy.quota_bytes, policy.quota_seconds, policy.quota_action),
        },
        "persistence": {
            "bookkeeperEnsemble": ensemble,
            "bookkeeperWriteQuorum": write,
            "bookkeeperAckQuorum": ack,
            "managedLedgerMaxMarkDeleteRate": policy.mark_delete_rate,
        },
        "deduplicationEnabled": config.dedup.enabled,
        "autoTopicCreation": _auto_topics(config),
        "autoSubscriptionCreation": {
            "allowAutoSubscriptionCreation": config.allow_auto_subscription_creation
        },
        "maxProducers": config.limits.max_producers_per_topic,
        "maxConsumers": consume.max_consumers_per_topic,
        "maxConsumersPerSubscription": consume.max_consumers_per_subscription,
        "maxUnackedMessagesOnConsumer": consume.max_unacked_messages_per_consumer,
        "maxUnackedMessagesOnSubscription": consume.max_unacked_messages_per_subscription,
        "maxSubscriptionsPerTopic": consume.max_subscriptions_per_topic,
        "maxTopicsPerNamespace": config.limits.max_topics_per_namespace,
        "maxMessageSize": 0,
        "publishRate": {"publishThrottlingRateInMsg": 0, "publishThrottlingRateInByte": 0},
        "subscriptionExpirationTime": policy.subscription_expiration_minutes,
        "subscriptionTypesEnabled": [],
        "delayedDelivery": {
            "tickTime": consume.delayed_delivery_tick_ms,
            "active": consume.delayed_delivery_enabled,
            "maxDeliveryDelayInMillis": 0,
        },
        "inactiveTopicPolicies": {
            "inactiveTopicDeleteMode": CAUGHT_UP if policy.caught_up else INACTIVE_MODES[0],
            "maxInactiveDurationSeconds": config.inactive_topic_ms // 1000,
            "deleteWhileInactive": config.delete_inactive_topics,
        },
    }


def _quota(size_bytes: int, seconds: int, action: str) -> dict[str, Any]:
    return {"limit": size_bytes, "limitSize": size_bytes, "limitTime": seconds, "policy": action}


def _auto_topics(config: BrokerConfig) -> dict[str, Any]:
    kind = "partitioned" if config.auto_topics_partitioned else "non-partitioned"
    made: dict[str, Any] = {
        "allowAutoTopicCreation": config.allow_auto_topic_creation,
        "topicType": kind,
    }
    if config.auto_topics_partitioned:
        made["defaultNumPartitions"] = config.default_partitions
    return made
