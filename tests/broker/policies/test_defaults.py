"""The configuration as policies."""

from magnetar_broker.config import BrokerConfig
from magnetar_broker.policies.defaults import broker_level
from magnetar_broker.policies.table import POLICIES


def test_there_is_one_for_each_policy() -> None:
    level = broker_level(BrokerConfig())
    assert {policy.name for policy in POLICIES} | {"backlogQuotaMap", "maxMessageSize"} == set(
        level
    )


def test_they_may_be_set_as_they_are() -> None:
    level = broker_level(BrokerConfig(auto_topics_partitioned=True, default_partitions=3))
    for policy in POLICIES:
        assert policy.check(level[policy.name]) == level[policy.name], policy.name
