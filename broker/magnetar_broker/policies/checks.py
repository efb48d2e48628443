"""What a policy may be set to. Statuses and texts are those of Apache Pulsar 4.0.7.

Each check takes the JSON that an administrator sent and gives the JSON that is kept: all fields,
in Pulsar's order, so that equal policies have equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from magnetar_broker.errors import PolicyRefusedError

Check = Callable[[Any], Any]

STORAGE: Final = "destination_storage"
AGE: Final = "message_age"
QUOTA_TYPES: Final = (STORAGE, AGE)
QUOTA_ACTIONS: Final = ("producer_request_hold", "producer_exception", "consumer_backlog_eviction")
SUBSCRIPTION_TYPES: Final = ("Exclusive", "Shared", "Failover", "Key_Shared")
CAUGHT_UP: Final = "delete_when_subscriptions_caught_up"
INACTIVE_MODES: Final = ("delete_when_no_subscriptions", CAUGHT_UP)

_NOT_A_NUMBER: Final = "Cannot deserialize value of type `int` from {!r}: not a valid `int` value"
_MOST_BOOKIES: Final = 5
_LARGEST: Final = 2**63 - 1
_ONE_IS_ZERO: Final = (
    "Invalid retention policy: Setting a single time or size limit to 0 is invalid when one of the "
    "limits has a non-zero value. Use the value of -1 instead of 0 to ignore a specific limit. To "
    "disable retention both limits must be set to 0."
)


def number(value: Any) -> int:
    """A whole number, as Java's `int` or `long`. Raises PolicyRefusedError (400)."""
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or abs(value) > _LARGEST:
        raise PolicyRefusedError(400, _NOT_A_NUMBER.format(value))
    return int(value)


def at_least_zero(text: str) -> Check:
    """A number from 0 on; others are refused with 412 and `text`."""

    def check(value: Any) -> int:
        if (found := number(value)) < 0:
            raise PolicyRefusedError(412, text)
        return found

    return check


def message_size(most_bytes: int) -> Check:
    """A topic's largest message, which is not above that of the broker."""

    def check(value: Any) -> int:
        found = number(value)
        if not 0 <= found <= most_bytes:
            raise PolicyRefusedError(
                412,
                "topic-level maxMessageSize must be greater than or equal to 0 and must be "
                "smaller than that in the broker-level",
            )
        return found

    return check


def boolean(value: Any) -> bool:
    """True or false; a number as Java reads it. Raises PolicyRefusedError (400)."""
    if isinstance(value, bool | int):
        return bool(value)
    raise PolicyRefusedError(400, f"Cannot deserialize value of type `boolean` from {value!r}")


def fields(value: Any) -> Mapping[str, Any]:
    """A JSON object. Raises PolicyRefusedError (400)."""
    if not isinstance(value, dict):
        raise PolicyRefusedError(400, f"Cannot read a policy from {value!r}: it is no JSON object")
    return value


def retention(value: Any) -> dict[str, int]:
    """How long, in minutes, and how much, in MiB, acknowledged messages stay; -1 is no limit."""
    body = fields(value)
    minutes = number(body.get("retentionTimeInMinutes", 0))
    size_mb = number(body.get("retentionSizeInMB", 0))
    if minutes < -1:
        raise PolicyRefusedError(400, "Invalid retention policy: time limit must be >= -1")
    if size_mb < -1:
        raise PolicyRefusedError(400, "Invalid retention policy: size limit must be >= -1")
    if (minutes == 0) != (size_mb == 0):
        raise PolicyRefusedError(400, _ONE_IS_ZERO)
    return {"retentionTimeInMinutes": minutes, "retentionSizeInMB": size_mb}


def backlog_quota(value: Any, namespace: str) -> dict[str, Any]:
    """One backlog quota. `limit` is the older name of `limitSize`."""
    body = fields(value)
    size = number(body.get("limitSize", body.get("limit", 0)) or 0)
    action = body.get("policy")
    if action not in QUOTA_ACTIONS:
        raise PolicyRefusedError(
            400,
            f"Set namespace[{namespace}] backlog quota failed because the data validation failed. "
            "the attribute policy cannot be null",
        )
    seconds = number(body.get("limitTime", 0))
    return {"limit": size, "limitSize": size, "limitTime": seconds, "policy": action}


def check_quota_within(quota: Mapping[str, Any], kept: Mapping[str, Any] | None) -> None:
    """A backlog may not be allowed to grow larger than what is retained (older it may: as Pulsar).

    Raises:
        PolicyRefusedError: 412.
    """
    if not kept or not (kept["retentionTimeInMinutes"] or kept["retentionSizeInMB"]):
        return
    size_mb = kept["retentionSizeInMB"]
    if size_mb > 0 and quota["limitSize"] >= size_mb << 20:
        raise PolicyRefusedError(
            412,
            "Backlog Quota exceeds configured retention quota for namespace. Please increase "
            "retention quota and retry",
        )


def persistence(value: Any) -> dict[str, Any]:
    """Ensemble, write quorum, ack quorum, and how often in a second cursors are written."""
    body = fields(value)
    names = ("Ensemble", "WriteQuorum", "AckQuorum")
    sizes = [number(body.get(f"bookkeeper{name}", 0)) for name in names]
    for name, size in zip(names, sizes, strict=True):
        if not 0 < size <= _MOST_BOOKIES:
            raise PolicyRefusedError(400, f"Bookkeeper-{name} must be <= 5 and > 0.")
    ensemble, write, ack = sizes
    if not ensemble >= write >= ack:
        raise PolicyRefusedError(
            400, f"Bookkeeper Ensemble ({ensemble}) >= WriteQuorum ({write}) >= AckQuorum ({ack})"
        )
    rate = body.get("managedLedgerMaxMarkDeleteRate", 0.0)
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        raise PolicyRefusedError(400, f"managedLedgerMaxMarkDeleteRate: {rate!r} is no number")
    return {
        "bookkeeperEnsemble": ensemble,
        "bookkeeperWriteQuorum": write,
        "bookkeeperAckQuorum": ack,
        "managedLedgerMaxMarkDeleteRate": float(rate),
    }


def auto_topic_creation(value: Any) -> dict[str, Any]:
    """Whether clients make topics, of which kind, with how many partitions."""
    body = fields(value)
    kind, count = body.get("topicType"), body.get("defaultNumPartitions")
    allowed = boolean(body.get("allowAutoTopicCreation", False))
    if allowed:
        _check_topic_kind(kind, count)
    given = {"topicType": kind, "defaultNumPartitions": count}
    return {
        "allowAutoTopicCreation": allowed,
        **{key: each for key, each in given.items() if each is not None},
    }


def _check_topic_kind(kind: Any, count: Any) -> None:
    detail = ""
    if kind not in ("partitioned", "non-partitioned"):
        detail = f"Unknown topic type [{kind}]"
    elif kind == "partitioned" and count is None:
        detail = "[defaultNumPartitions] cannot be null when the type is partitioned."
    elif kind == "partitioned" and number(count) < 1:
        detail = "[defaultNumPartitions] cannot be less than 1 for partition type."
    elif kind == "non-partitioned" and count is not None:
        detail = "[defaultNumPartitions] is not allowed to be set when the type is non-partition."
    if detail:
        raise PolicyRefusedError(
            412, f"Invalid configuration for autoTopicCreationOverride. the detail is {detail}"
        )


def auto_subscription_creation(value: Any) -> dict[str, bool]:
    """Whether consumers make subscriptions."""
    allowed = fields(value).get("allowAutoSubscriptionCreation", False)
    return {"allowAutoSubscriptionCreation": boolean(allowed)}


def subscription_types(value: Any) -> list[str]:
    """The types of subscriptions that consumers may have; none named means all."""
    named = value if isinstance(value, list) else [value]
    for each in named:
        if each not in SUBSCRIPTION_TYPES:
            raise PolicyRefusedError(400, f"{each!r} is no subscription type")
    return list(dict.fromkeys(named))


def publish_rate(value: Any) -> dict[str, int]:
    """Messages and bytes in a second; 0 or less is no limit."""
    body = fields(value)
    names = ("publishThrottlingRateInMsg", "publishThrottlingRateInByte")
    return {name: number(body.get(name, 0)) for name in names}


def delayed_delivery(value: Any) -> dict[str, Any]:
    """Whether messages may wait for their time, and how exactly."""
    body = fields(value)
    if number(body.get("maxDeliveryDelayInMillis", 0)) > 0:
        raise PolicyRefusedError(
            501, "maxDeliveryDelayInMillis is not built in Magnetar: it would have no effect"
        )
    return {
        "tickTime": number(body.get("tickTime", 0)),
        "active": boolean(body.get("active", False)),
        "maxDeliveryDelayInMillis": 0,
    }


def inactive_topics(value: Any) -> dict[str, Any]:
    """When a topic that nobody uses is deleted."""
    body = fields(value)
    mode = body.get("inactiveTopicDeleteMode")
    if mode not in INACTIVE_MODES:
        raise PolicyRefusedError(400, f"inactiveTopicDeleteMode is one of {INACTIVE_MODES}")
    seconds = number(body.get("maxInactiveDurationSeconds", 0))
    while_inactive = boolean(body.get("deleteWhileInactive", False))
    if while_inactive and seconds <= 0:
        raise PolicyRefusedError(400, "maxInactiveDurationSeconds must be greater than 0")
    return {
        "inactiveTopicDeleteMode": mode,
        "maxInactiveDurationSeconds": seconds,
        "deleteWhileInactive": while_inactive,
    }
