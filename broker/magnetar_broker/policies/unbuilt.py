"""Policies of Pulsar that this broker does not enforce, so that it does not take them either.

To set one to what holds anyway is no news and is answered as done; anything else is refused with
501. GET tells what holds, or what a record says that Pulsar has written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from magnetar_broker.policies.table import NO_CONTENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbuilt:
    """One of them.

    Attributes:
        path: Of its endpoint.
        key: In a namespace's record.
        method: By which it is set.
        unset: As of `Policy`.
        removal: The path of DELETE; empty where there is none.
    """

    path: str
    key: str = ""
    method: str = "POST"
    unset: Any = None
    removal: str = ""


def _unbuilt(path: str, key: str = "", unset: Any = None, method: str = "POST") -> Unbuilt:
    return Unbuilt(path=path, key=key, method=method, unset=unset, removal=path)


_RATE: Final = {
    "dispatchThrottlingRateInMsg": 0,
    "dispatchThrottlingRateInByte": 0,
    "relativeToPublishRate": False,
    "ratePeriodInSecond": 1,
}

OF_NAMESPACES: Final = (
    _unbuilt("dispatchRate"),
    _unbuilt("subscriptionDispatchRate"),
    _unbuilt("replicatorDispatchRate"),
    _unbuilt("subscribeRate"),
    _unbuilt("deduplicationSnapshotInterval", "deduplicationSnapshotIntervalSeconds"),
    _unbuilt("schemaCompatibilityStrategy", "schema_compatibility_strategy", "UNDEFINED", "PUT"),
    _unbuilt("schemaAutoUpdateCompatibilityStrategy", "", NO_CONTENT, "PUT"),
    _unbuilt("isAllowAutoUpdateSchema", "is_allow_auto_update_schema", True),
    _unbuilt("schemaValidationEnforced", "schema_validation_enforced", False),
    _unbuilt("subscriptionAuthMode", "subscription_auth_mode", "None"),
    _unbuilt("encryptionRequired", "encryption_required", False),
    _unbuilt("compactionThreshold", "compaction_threshold", None, "PUT"),
    _unbuilt("offloadThreshold", "offload_threshold", -1, "PUT"),
    _unbuilt("offloadThresholdInSeconds", "offload_threshold_in_seconds", -1, "PUT"),
    _unbuilt("offloadDeletionLagMs", "offload_deletion_lag_ms", None, "PUT"),
    Unbuilt(path="offloadPolicies", key="offload_policies", removal="removeOffloadPolicies"),
    _unbuilt("antiAffinity", "antiAffinityGroup", NO_CONTENT),
    _unbuilt("entryFilters", "entryFilters"),
    _unbuilt("resourcegroup", "resource_group_name"),
    _unbuilt("allowedClusters", "allowed_clusters", []),
    _unbuilt("persistence/bookieAffinity", "", NO_CONTENT),
    _unbuilt(
        "dispatcherPauseOnAckStatePersistent", "dispatcherPauseOnAckStatePersistentEnabled", False
    ),
)

OF_TOPICS: Final = (
    _unbuilt("dispatchRate"),
    _unbuilt("subscriptionDispatchRate"),
    _unbuilt("replicatorDispatchRate"),
    _unbuilt("{subscription}/dispatchRate"),
    _unbuilt("subscribeRate"),
    _unbuilt("deduplicationSnapshotInterval"),
    _unbuilt("schemaCompatibilityStrategy", method="PUT"),
    _unbuilt("schemaValidationEnforced", unset=False),
    _unbuilt("compactionThreshold"),
    _unbuilt("offloadPolicies"),
    _unbuilt("replication"),
    _unbuilt("entryFilters"),
    _unbuilt("dispatcherPauseOnAckStatePersistent", unset=False),
)

APPLIED: Final = {
    "dispatchRate": _RATE,
    "subscriptionDispatchRate": _RATE,
    "{subscription}/dispatchRate": _RATE,
    "replicatorDispatchRate": _RATE,
    "subscribeRate": {"subscribeThrottlingRatePerConsumer": 0, "ratePeriodInSecond": 30},
    "compactionThreshold": 0,
    "entryFilters": {"entryFilterNames": ""},
}
"""What holds for a topic of those that GET with `applied=true` tells."""
