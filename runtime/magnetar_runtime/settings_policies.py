"""The keys of `broker.conf` that hold where a namespace or topic has no policy of its own."""

from dataclasses import dataclass
from typing import Final

from magnetar_runtime.conf import setting

QUOTA_ACTIONS: Final = ("producer_request_hold", "producer_exception", "consumer_backlog_eviction")
INACTIVE_MODES: Final = ("delete_when_no_subscriptions", "delete_when_subscriptions_caught_up")


@dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """Expiry of messages and subscriptions, backlog quotas, and how often they are looked after."""

    ttl_seconds: int = setting(
        "ttlDurationDefaultInSeconds", 0, "Messages that old count as consumed; 0 = never."
    )
    ttl_check_minutes: int = setting(
        "messageExpiryCheckIntervalInMinutes", 5, "Look for them so often."
    )
    quota_check: bool = setting("backlogQuotaCheckEnabled", True, "Enforce backlog quotas.")
    quota_check_seconds: int = setting(
        "backlogQuotaCheckIntervalInSeconds", 60, "Compare backlogs with them so often."
    )
    quota_bytes: int = setting(
        "backlogQuotaDefaultLimitBytes", -1, "Largest backlog of a topic; -1 = the next key."
    )
    quota_gb: float = setting("backlogQuotaDefaultLimitGB", -1.0, "The same in GiB; -1 = no limit.")
    quota_seconds: int = setting(
        "backlogQuotaDefaultLimitSecond", -1, "Oldest message of a backlog; -1 = no limit."
    )
    quota_action: str = setting(
        "backlogQuotaDefaultRetentionPolicy",
        "producer_request_hold",
        "Or producer_exception, or consumer_backlog_eviction.",
    )
    subscription_expiration_minutes: int = setting(
        "subscriptionExpirationTimeMinutes", 0, "Unused subscriptions are deleted; 0 = never."
    )
    subscription_expiration_check_minutes: int = setting(
        "subscriptionExpiryCheckIntervalInMinutes", 5, "Look for them so often."
    )
    inactive_topics_mode: str = setting(
        "brokerDeleteInactiveTopicsMode",
        "delete_when_no_subscriptions",
        "Or delete_when_subscriptions_caught_up.",
    )
