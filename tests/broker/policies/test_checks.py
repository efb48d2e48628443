"""What may be set, and what an administrator hears otherwise: as Apache Pulsar 4.0.7 answered."""

from typing import Any

import pytest
from magnetar_broker.errors import PolicyRefusedError
from magnetar_broker.policies import checks
from magnetar_broker.policies.checks import Check


def quota(value: Any) -> Any:
    return checks.backlog_quota(value, "public/p1")


@pytest.mark.parametrize(
    ("check", "value", "kept"),
    [
        (checks.number, 5.0, 5),
        (checks.at_least_zero("x"), 0, 0),
        (checks.boolean, 5, True),
        (checks.message_size(10), 10, 10),
        (
            checks.retention,
            {"retentionTimeInMinutes": -1, "retentionSizeInMB": -1, "more": 1},
            {"retentionTimeInMinutes": -1, "retentionSizeInMB": -1},
        ),
        (
            quota,
            {"limitSize": 1000, "limitTime": -1, "policy": "producer_exception"},
            {"limit": 1000, "limitSize": 1000, "limitTime": -1, "policy": "producer_exception"},
        ),
        (
            quota,
            {"limit": 2000, "policy": "producer_exception"},
            {"limit": 2000, "limitSize": 2000, "limitTime": 0, "policy": "producer_exception"},
        ),
        (
            checks.persistence,
            {"bookkeeperEnsemble": 3, "bookkeeperWriteQuorum": 2, "bookkeeperAckQuorum": 2},
            {
                "bookkeeperEnsemble": 3,
                "bookkeeperWriteQuorum": 2,
                "bookkeeperAckQuorum": 2,
                "managedLedgerMaxMarkDeleteRate": 0.0,
            },
        ),
        (
            checks.auto_topic_creation,
            {"allowAutoTopicCreation": False},
            {"allowAutoTopicCreation": False},
        ),
        (
            checks.publish_rate,
            {"publishThrottlingRateInByte": 5},
            {"publishThrottlingRateInMsg": 0, "publishThrottlingRateInByte": 5},
        ),
        (checks.auto_subscription_creation, {}, {"allowAutoSubscriptionCreation": False}),
        (checks.subscription_types, ["Shared", "Shared", "Exclusive"], ["Shared", "Exclusive"]),
        (
            checks.delayed_delivery,
            {"active": True, "tickTime": 500},
            {"tickTime": 500, "active": True, "maxDeliveryDelayInMillis": 0},
        ),
        (
            checks.inactive_topics,
            {"inactiveTopicDeleteMode": "delete_when_no_subscriptions"},
            {
                "inactiveTopicDeleteMode": "delete_when_no_subscriptions",
                "maxInactiveDurationSeconds": 0,
                "deleteWhileInactive": False,
            },
        ),
    ],
)
def test_what_is_kept(check: Check, value: Any, kept: Any) -> None:
    found = check(value)
    assert found == kept
    if isinstance(kept, dict):
        assert list(found) == list(kept), "the order of Pulsar's fields"
    assert check(found) == found


AUTO = "Invalid configuration for autoTopicCreationOverride. the detail is "


@pytest.mark.parametrize(
    ("check", "value", "status", "text"),
    [
        (checks.number, "x", 400, "not a valid `int` value"),
        (checks.number, True, 400, "not a valid `int` value"),
        (checks.number, 1e40, 400, "not a valid `int` value"),
        (checks.boolean, "x", 400, "boolean"),
        (checks.fields, [1], 400, "no JSON object"),
        (checks.at_least_zero("must be 0 or more"), -1, 412, "must be 0 or more"),
        (checks.message_size(10), 11, 412, "topic-level maxMessageSize must be"),
        (
            checks.retention,
            {"retentionTimeInMinutes": 0, "retentionSizeInMB": 5},
            400,
            "Invalid retention policy: Setting a single time or size limit to 0 is invalid",
        ),
        (
            checks.retention,
            {"retentionTimeInMinutes": -5, "retentionSizeInMB": 5},
            400,
            "Invalid retention policy: time limit must be >= -1",
        ),
        (checks.retention, {"retentionSizeInMB": -2}, 400, "size limit must be >= -1"),
        (quota, {"limitSize": 1000}, 400, "the attribute policy cannot be null"),
        (
            checks.persistence,
            {"bookkeeperEnsemble": 1, "bookkeeperWriteQuorum": 2, "bookkeeperAckQuorum": 1},
            400,
            "Bookkeeper Ensemble (1) >= WriteQuorum (2) >= AckQuorum (1)",
        ),
        (checks.persistence, {}, 400, "Bookkeeper-Ensemble must be <= 5 and > 0."),
        (
            checks.persistence,
            {"bookkeeperEnsemble": 2, "bookkeeperWriteQuorum": 2},
            400,
            "Bookkeeper-AckQuorum must be <= 5 and > 0.",
        ),
        (
            checks.persistence,
            {
                "bookkeeperEnsemble": 1,
                "bookkeeperWriteQuorum": 1,
                "bookkeeperAckQuorum": 1,
                "managedLedgerMaxMarkDeleteRate": "x",
            },
            400,
            "is no number",
        ),
        (
            checks.auto_topic_creation,
            {"allowAutoTopicCreation": True, "topicType": "partitioned"},
            412,
            AUTO + "[defaultNumPartitions] cannot be null when the type is partitioned.",
        ),
        (
            checks.auto_topic_creation,
            {
                "allowAutoTopicCreation": True,
                "topicType": "partitioned",
                "defaultNumPartitions": 0,
            },
            412,
            AUTO + "[defaultNumPartitions] cannot be less than 1 for partition type.",
        ),
        (
            checks.auto_topic_creation,
            {
                "allowAutoTopicCreation": True,
                "topicType": "non-partitioned",
                "defaultNumPartitions": 2,
            },
            412,
            AUTO + "[defaultNumPartitions] is not allowed to be set when the type is "
            "non-partition.",
        ),
        (
            checks.auto_topic_creation,
            {"allowAutoTopicCreation": True, "topicType": "x"},
            412,
            AUTO + "Unknown topic type [x]",
        ),
        (checks.delayed_delivery, {"maxDeliveryDelayInMillis": 5}, 501, "is not built"),
        (checks.subscription_types, ["Nope"], 400, "is no subscription type"),
        (checks.inactive_topics, {"inactiveTopicDeleteMode": "x"}, 400, "is one of"),
        (
            checks.inactive_topics,
            {
                "inactiveTopicDeleteMode": "delete_when_no_subscriptions",
                "deleteWhileInactive": True,
            },
            400,
            "must be greater than 0",
        ),
    ],
)
def test_what_is_refused(check: Check, value: Any, status: int, text: str) -> None:
    with pytest.raises(PolicyRefusedError) as refused:
        check(value)
    assert refused.value.status == status
    assert text in str(refused.value)


@pytest.mark.parametrize(
    ("size", "seconds", "allowed"),
    [(10 << 20, 0, False), ((10 << 20) - 1, 600, True), (-1, -1, True)],
)
def test_a_backlog_may_not_outgrow_what_is_retained(size: int, seconds: int, allowed: bool) -> None:
    kept = {"retentionTimeInMinutes": 10, "retentionSizeInMB": 10}
    given = {"limitSize": size, "limitTime": seconds}
    for none in (None, {"retentionTimeInMinutes": 0, "retentionSizeInMB": 0}):
        checks.check_quota_within(given, none)
    if allowed:
        checks.check_quota_within(given, kept)
        return
    with pytest.raises(PolicyRefusedError, match="exceeds configured retention") as refused:
        checks.check_quota_within(given, kept)
    assert refused.value.status == 412
