"""Three levels, and what holds of them."""

from typing import Any

from magnetar_broker.config import BrokerConfig, PolicyConfig
from magnetar_broker.policies.checks import AGE, STORAGE
from magnetar_broker.policies.defaults import broker_level
from magnetar_broker.policies.values import QuotaAction, TopicPolicies, merged
from magnetar_ledger.managed import LedgerPolicies, Retention

BROKER = broker_level(BrokerConfig(policy=PolicyConfig(retention_minutes=3, quota_bytes=77)))


def quota(size: int, action: str) -> dict[str, Any]:
    return {"limit": size, "limitSize": size, "limitTime": 0, "policy": action}


def test_the_topic_comes_before_its_namespace_and_that_before_the_configuration() -> None:
    namespace = {"maxProducers": 5, "maxConsumers": 6, "retention": None}
    del namespace["retention"]
    holds = TopicPolicies.of({"maxConsumers": 0}, namespace, BROKER)
    assert (holds.max_producers, holds.max_consumers) == (5, 0)
    assert holds.max_unacked_per_consumer == 50_000
    assert holds.retention == Retention(180_000, 0)


def test_managed_ledgers_are_told_only_what_is_set() -> None:
    assert TopicPolicies.of({}, {}, BROKER).ledger == LedgerPolicies()
    persistence = {
        "bookkeeperEnsemble": 3,
        "bookkeeperWriteQuorum": 2,
        "bookkeeperAckQuorum": 1,
        "managedLedgerMaxMarkDeleteRate": -1.0,
    }
    kept = {"retentionTimeInMinutes": -1, "retentionSizeInMB": 2}
    holds = TopicPolicies.of({"persistence": persistence}, {"retention": kept}, BROKER)
    assert holds.ledger == LedgerPolicies(Retention(-1, 2 << 20), (3, 2, 1), 0.0)


def test_each_quota_is_looked_up_by_itself() -> None:
    topic = {"backlogQuotaMap": {AGE: quota(1, "producer_exception")}}
    namespace = {"backlogQuotaMap": {AGE: quota(2, "producer_exception")}}
    assert merged(topic, {}, BROKER)["backlogQuotaMap"][STORAGE]["limitSize"] == 77
    assert merged({}, namespace, BROKER)["backlogQuotaMap"][AGE]["limitSize"] == 2
    holds = TopicPolicies.of(topic, namespace, BROKER)
    assert holds.storage_quota.action is QuotaAction.HOLD
    assert holds.age_quota.action is QuotaAction.EXCEPTION


def test_no_subscription_type_named_means_that_it_is_not_set() -> None:
    namespace = {"subscriptionTypesEnabled": ["Shared"]}
    holds = TopicPolicies.of({"subscriptionTypesEnabled": []}, namespace, BROKER)
    assert holds.subscription_types == {"Shared"}
    assert not TopicPolicies.of({}, {}, BROKER).subscription_types
