"""The policies that hold for one topic, as typed values.

Three levels are laid over each other: what is set for the topic, else for its namespace, else what
the broker's configuration says. All three are JSON by the names of `table.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Self

from magnetar_ledger.managed.config import LedgerPolicies, Retention

from magnetar_broker.policies.checks import AGE, CAUGHT_UP, QUOTA_TYPES, STORAGE

_MINUTE_MS: Final = 60_000
_MIB: Final = 1 << 20

Level = Mapping[str, Any]


class QuotaAction(Enum):
    """What happens to a topic whose backlog is too large or too old."""

    HOLD = "producer_request_hold"
    EXCEPTION = "producer_exception"
    EVICT = "consumer_backlog_eviction"


@dataclass(frozen=True, slots=True)
class BacklogQuota:
    """One of the two quotas. A limit of 0 or less is none."""

    limit: int
    action: QuotaAction


@dataclass(frozen=True, slots=True)
class InactiveTopics:
    """When a topic that nobody uses goes.

    Attributes:
        caught_up: Also one with subscriptions, if they have no backlog.
    """

    enabled: bool
    after_ms: int
    caught_up: bool


@dataclass(frozen=True, slots=True)
class PublishRateLimit:
    """What may be published in a second; 0 or less is no limit."""

    messages: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPolicies:
    """What holds for a topic. Of numbers 0 is no limit.

    Attributes:
        storage_quota, age_quota: In bytes and in seconds.
        message_ttl_s: Messages that old count as acknowledged.
        ledger: What its managed ledger is told.
        subscription_types: By their labels; empty means all.
    """

    message_ttl_s: int
    storage_quota: BacklogQuota
    age_quota: BacklogQuota
    ledger: LedgerPolicies
    retention: Retention
    deduplication: bool
    max_producers: int
    max_consumers: int
    max_consumers_per_subscription: int
    max_subscriptions: int
    max_unacked_per_consumer: int
    max_unacked_per_subscription: int
    max_message_bytes: int
    auto_subscriptions: bool
    subscription_types: frozenset[str]
    subscription_expiration_ms: int
    inactive: InactiveTopics
    delayed_delivery: bool
    delayed_tick_ms: int
    publish_rate: PublishRateLimit

    @classmethod
    def of(cls, topic: Level, namespace: Level, broker: Level) -> Self:
        """What holds where these are set; see `merged`."""
        holds = merged(topic, namespace, broker)
        quotas, delayed = holds["backlogQuotaMap"], holds["delayedDelivery"]
        retention = retention_of(holds["retention"])
        return cls(
            message_ttl_s=holds["messageTTL"],
            storage_quota=_quota(quotas[STORAGE], "limitSize"),
            age_quota=_quota(quotas[AGE], "limitTime"),
            ledger=_ledger({**namespace, **topic}),
            retention=retention,
            deduplication=holds["deduplicationEnabled"],
            max_producers=holds["maxProducers"],
            max_consumers=holds["maxConsumers"],
            max_consumers_per_subscription=holds["maxConsumersPerSubscription"],
            max_subscriptions=holds["maxSubscriptionsPerTopic"],
            max_unacked_per_consumer=holds["maxUnackedMessagesOnConsumer"],
            max_unacked_per_subscription=holds["maxUnackedMessagesOnSubscription"],
            max_message_bytes=holds["maxMessageSize"],
            auto_subscriptions=holds["autoSubscriptionCreation"]["allowAutoSubscriptionCreation"],
            subscription_types=frozenset(holds["subscriptionTypesEnabled"]),
            subscription_expiration_ms=holds["subscriptionExpirationTime"] * _MINUTE_MS,
            inactive=_inactive(holds["inactiveTopicPolicies"]),
            delayed_delivery=delayed["active"],
            delayed_tick_ms=max(delayed["tickTime"], 1),
            publish_rate=PublishRateLimit(
                holds["publishRate"]["publishThrottlingRateInMsg"],
                holds["publishRate"]["publishThrottlingRateInByte"],
            ),
        )


def merged(topic: Level, namespace: Level, broker: Level) -> dict[str, Any]:
    """What holds: of each policy the most special level that has it; of quotas each by itself."""
    holds = {**broker, **namespace, **topic}
    holds["backlogQuotaMap"] = {
        kind: next(
            level["backlogQuotaMap"][kind]
            for level in (topic, namespace, broker)
            if kind in level.get("backlogQuotaMap", {})
        )
        for kind in QUOTA_TYPES
    }
    if not holds["subscriptionTypesEnabled"]:
        levels = (namespace, broker)
        named = (level.get("subscriptionTypesEnabled") for level in levels)
        holds["subscriptionTypesEnabled"] = next(filter(None, named), [])
    return holds


def retention_of(value: Mapping[str, int]) -> Retention:
    """Retention in the units of the ledger."""
    minutes, size_mb = value["retentionTimeInMinutes"], value["retentionSizeInMB"]
    return Retention(
        time_ms=minutes * _MINUTE_MS if minutes >= 0 else -1,
        size_bytes=size_mb * _MIB if size_mb >= 0 else -1,
    )


def _quota(value: Mapping[str, Any], field: str) -> BacklogQuota:
    return BacklogQuota(value[field], QuotaAction(value["policy"]))


def _ledger(given: Level) -> LedgerPolicies:
    """What is set; of the rest the managed ledger knows the configuration itself."""
    retention, persistence = given.get("retention"), given.get("persistence")
    quorums, rate = None, None
    if persistence is not None:
        quorums = (
            persistence["bookkeeperEnsemble"],
            persistence["bookkeeperWriteQuorum"],
            persistence["bookkeeperAckQuorum"],
        )
        rate = max(persistence["managedLedgerMaxMarkDeleteRate"], 0.0)
    kept = None if retention is None else retention_of(retention)
    return LedgerPolicies(kept, quorums, rate)


def _inactive(value: Mapping[str, Any]) -> InactiveTopics:
    return InactiveTopics(
        enabled=value["deleteWhileInactive"],
        after_ms=value["maxInactiveDurationSeconds"] * 1000,
        caught_up=value["inactiveTopicDeleteMode"] == CAUGHT_UP,
    )
