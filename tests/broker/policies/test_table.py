"""Records as levels."""

from typing import Any

import pytest
from magnetar_broker.policies.checks import AGE
from magnetar_broker.policies.table import POLICIES, namespace_level, topic_level
from magnetar_metadata.topic_records import Policies

QUOTA = {"limit": 1, "limitSize": 1, "limitTime": 0, "policy": "producer_exception"}


def test_each_has_one_row() -> None:
    for each in ("name", "key", "path"):
        values = [getattr(policy, each) for policy in POLICIES]
        assert len(set(values)) == len(values)


def test_what_others_wrote_and_does_not_read_is_as_good_as_unset() -> None:
    settings = {
        "max_producers_per_topic": -5,
        "retention_policies": "x",
        "message_ttl_in_seconds": 8,
        "topicDispatchRate": {"c": {}},
        "publishMaxMessageRate": ["x"],
        "backlog_quota_map": {AGE: QUOTA, "destination_storage": {"limit": 5}},
    }
    assert namespace_level(settings, "a/b") == {"messageTTL": 8, "backlogQuotaMap": {AGE: QUOTA}}
    assert namespace_level({"backlog_quota_map": 5}, "a/b") == {"backlogQuotaMap": {}}


def test_what_is_set_for_a_cluster_leaves_that_of_others() -> None:
    [policy] = [policy for policy in POLICIES if policy.of_cluster]
    settings: dict[str, Any] = {policy.key: {"other": 1}}
    policy.put(settings, "c", 2)
    assert settings == {policy.key: {"other": 1, "c": 2}}
    assert (policy.read(settings, "c"), policy.read(settings, "d")) == (2, None)
    policy.put(settings, "c", None)
    assert settings == {policy.key: {"other": 1}}
    settings = {policy.key: "rubbish"}
    policy.put(settings, "c", 2)
    assert settings == {policy.key: {"c": 2}}


def test_topics_have_no_policies_of_namespaces() -> None:
    settings = {"maxTopicsPerNamespace": 5, "maxProducers": 3, "maxMessageSize": 9}
    level = topic_level(settings, "a/b")
    assert level == {"maxProducers": 3, "maxMessageSize": 9, "backlogQuotaMap": {}}


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_the_record_keeps_them_in_the_order_of_pulsar(policy: object) -> None:
    keys = list(Policies(settings={policy.key: 1}).to_json())
    assert keys.index("migrated") == len(keys) - 1
