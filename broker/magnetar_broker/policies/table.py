"""The policies that are built: one row for each, from which the routes of both levels are made.

A namespace's policies stand in its record under Pulsar's keys; a topic's, and those of the
configuration, under the names of this table, which are those of Pulsar's topic endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from magnetar_broker.errors import PolicyRefusedError
from magnetar_broker.policies import checks
from magnetar_broker.policies.checks import Check, at_least_zero

NO_CONTENT: Final = object()
"""An unset policy is answered with 204; others with 200 and no body, or with their default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy.

    Attributes:
        name: At topic level, in its path too.
        key: In the record of a namespace; empty where namespaces have no such policy.
        path: Of the namespace endpoint.
        check: What may be set, at namespace level.
        topic_check: The same at topic level; None where topics have no such policy.
        unset, topic_unset: What GET answers when nothing is set: None for an empty body.
        applies: Whether `applied=true` asks for what holds.
        clears: Whether an empty body unsets it (else 400).
        of_cluster: A namespace's record has one for each cluster, by its name.
    """

    name: str
    key: str = ""
    path: str = ""
    check: Check = checks.number
    topic_check: Check | None = None
    unset: Any = None
    topic_unset: Any = None
    applies: bool = True
    clears: bool = True
    of_cluster: bool = False

    def read(self, settings: Mapping[str, Any], cluster: str) -> Any:
        """What the record of a namespace says; None if it is not set."""
        value = settings.get(self.key)
        if self.of_cluster:
            return value.get(cluster) if isinstance(value, dict) else None
        return value

    def put(self, settings: dict[str, Any], cluster: str, value: Any) -> None:
        """Set it in the record of a namespace or, with None, unset it."""
        if self.of_cluster:
            found = settings.get(self.key)
            others = dict(found) if isinstance(found, dict) else {}
            others.pop(cluster, None)
            value = {**others, **({} if value is None else {cluster: value})}
        settings.pop(self.key, None)
        if value is not None:
            settings[self.key] = value


def _count(
    name: str,
    key: str,
    path: str,
    topic_text: str = "",
    *,
    unset: Any = None,
    topic_unset: Any = None,
) -> Policy:
    """A limit: a number from 0 on."""
    return Policy(
        name=name,
        key=key,
        path=path,
        check=at_least_zero(f"{path} must be 0 or more"),
        topic_check=at_least_zero(topic_text) if topic_text else None,
        unset=unset,
        topic_unset=topic_unset,
        applies=topic_unset is not NO_CONTENT,
        clears=False,
    )


_UNACKED_TEXT: Final = "maxUnackedNum must be 0 or more"

POLICIES: Final[tuple[Policy, ...]] = (
    Policy(
        name="messageTTL",
        key="message_ttl_in_seconds",
        path="messageTTL",
        check=at_least_zero("Invalid value for message TTL, message TTL must >= 0"),
        topic_check=at_least_zero("Invalid value for message TTL"),
        clears=False,
    ),
    Policy(
        name="retention",
        key="retention_policies",
        path="retention",
        check=checks.retention,
        topic_check=checks.retention,
    ),
    Policy(
        name="persistence",
        key="persistence",
        path="persistence",
        check=checks.persistence,
        topic_check=checks.persistence,
    ),
    Policy(
        name="deduplicationEnabled",
        key="deduplicationEnabled",
        path="deduplication",
        check=checks.boolean,
        topic_check=checks.boolean,
    ),
    Policy(
        name="autoTopicCreation",
        key="autoTopicCreationOverride",
        path="autoTopicCreation",
        check=checks.auto_topic_creation,
    ),
    Policy(
        name="autoSubscriptionCreation",
        key="autoSubscriptionCreationOverride",
        path="autoSubscriptionCreation",
        check=checks.auto_subscription_creation,
        topic_check=checks.auto_subscription_creation,
    ),
    _count(
        "maxProducers",
        "max_producers_per_topic",
        "maxProducersPerTopic",
        "maxProducers must be 0 or more",
    ),
    _count(
        "maxConsumers",
        "max_consumers_per_topic",
        "maxConsumersPerTopic",
        "maxConsumers must be 0 or more",
    ),
    _count(
        "maxConsumersPerSubscription",
        "max_consumers_per_subscription",
        "maxConsumersPerSubscription",
        "Invalid value for maxConsumersPerSubscription",
        topic_unset=NO_CONTENT,
    ),
    _count(
        "maxUnackedMessagesOnConsumer",
        "max_unacked_messages_per_consumer",
        "maxUnackedMessagesPerConsumer",
        _UNACKED_TEXT,
    ),
    _count(
        "maxUnackedMessagesOnSubscription",
        "max_unacked_messages_per_subscription",
        "maxUnackedMessagesPerSubscription",
        _UNACKED_TEXT,
    ),
    _count(
        "maxSubscriptionsPerTopic",
        "max_subscriptions_per_topic",
        "maxSubscriptionsPerTopic",
        "maxSubscriptionsPerTopic must be 0 or more",
        topic_unset=NO_CONTENT,
    ),
    _count("maxTopicsPerNamespace", "max_topics_per_namespace", "maxTopicsPerNamespace", unset=0),
    Policy(
        name="subscriptionExpirationTime",
        key="subscription_expiration_time_minutes",
        path="subscriptionExpirationTime",
        check=at_least_zero("Invalid value for subscription expiration time"),
        clears=False,
    ),
    Policy(
        name="subscriptionTypesEnabled",
        key="subscription_types_enabled",
        path="subscriptionTypesEnabled",
        check=checks.subscription_types,
        topic_check=checks.subscription_types,
        unset=[],
        topic_unset=[],
        applies=False,
    ),
    Policy(
        name="delayedDelivery",
        key="delayed_delivery_policies",
        path="delayedDelivery",
        check=checks.delayed_delivery,
        topic_check=checks.delayed_delivery,
    ),
    Policy(
        name="publishRate",
        key="publishMaxMessageRate",
        path="publishRate",
        check=checks.publish_rate,
        topic_check=checks.publish_rate,
        topic_unset=NO_CONTENT,
        applies=False,
        of_cluster=True,
    ),
    Policy(
        name="inactiveTopicPolicies",
        key="inactive_topic_policies",
        path="inactiveTopicPolicies",
        check=checks.inactive_topics,
        topic_check=checks.inactive_topics,
    ),
)
"""All but the backlog quotas, which are two in one, and the largest message (`MAX_MESSAGE_SIZE`),
which is checked against the configuration."""

QUOTAS_NAME: Final = "backlogQuotaMap"
QUOTAS_KEY: Final = "backlog_quota_map"
MAX_MESSAGE_SIZE: Final = "maxMessageSize"


def namespace_level(
    settings: Mapping[str, Any], namespace: str, cluster: str = ""
) -> dict[str, Any]:
    """A namespace's policies by the names of this table.

    What does not read as a policy (records are written by others too) is as good as unset; so is
    what is not built.
    """
    level: dict[str, Any] = {}
    for policy in POLICIES:
        value = policy.read(settings, cluster)
        if value is not None:
            level.update(_readable(policy, value))
    quotas = settings.get(QUOTAS_KEY)
    level[QUOTAS_NAME] = dict(_quotas(quotas, namespace)) if isinstance(quotas, dict) else {}
    return level


def _readable(policy: Policy, value: Any) -> Mapping[str, Any]:
    try:
        return {policy.name: policy.check(value)}
    except PolicyRefusedError:
        return {}


def _quotas(quotas: Mapping[str, Any], namespace: str) -> Iterator[tuple[str, Any]]:
    for kind in checks.QUOTA_TYPES:
        try:
            yield kind, checks.backlog_quota(quotas.get(kind), namespace)
        except PolicyRefusedError:
            continue


def topic_level(settings: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """A topic's policies by the names of this table, as `namespace_level`."""
    level: dict[str, Any] = {}
    for policy in POLICIES:
        value = settings.get(policy.name)
        if value is not None and policy.topic_check is not None:
            level.update(_readable(policy, value))
    quotas = settings.get(QUOTAS_NAME)
    level[QUOTAS_NAME] = dict(_quotas(quotas, namespace)) if isinstance(quotas, dict) else {}
    size = settings.get(MAX_MESSAGE_SIZE)
    if isinstance(size, int):
        level[MAX_MESSAGE_SIZE] = size
    return level
