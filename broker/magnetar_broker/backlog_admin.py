"""What administrators have subscriptions pass over: so many messages, all, or what is old."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magnetar_broker.errors import (
    ConflictError,
    SubscriptionNotFoundError,
    UnsupportedError,
)
from magnetar_broker.seek import first_published_since
from magnetar_broker.topic_reading import cursor_of, log_of, nth_unacked

if TYPE_CHECKING:
    from magnetar_ledger.position import Position

    from magnetar_broker.subscription import Subscription
    from magnetar_broker.topic import Topic

_TOO_LATE = (
    "Expire message by {kind} not issued on topic {topic} for subscription {subscription} due to "
    "ongoing message expiration not finished or {reason}"
)
_NOTHING_TO_DO = (
    "subscription almost catch  up. If it's performed on a partitioned topic operation might "
    "succeeded on other partitions, please check stats of individual partition."
)


def subscription_of(topic: Topic, name: str) -> Subscription:
    """A subscription. Raises SubscriptionNotFoundError."""
    found = topic.subscriptions.get(name)
    if found is None:
        raise SubscriptionNotFoundError(f"Subscription {name} not found for topic {topic.name}")
    return found


def clear(subscription: Subscription) -> None:
    """All that was published is passed over."""
    log_of(subscription.topic)  # type: ignore[arg-type]
    subscription.clear_backlog()
    _go_on(subscription)


async def skip(subscription: Subscription, count: int) -> None:
    """So many entries that are not acked are passed over; all if there are not more."""
    ledger = log_of(subscription.topic)  # type: ignore[arg-type]
    if count <= 0:
        return
    through = await nth_unacked(ledger, cursor_of(subscription), count)
    subscription.ack_through(ledger.last_position if through is None else through)
    _go_on(subscription)


async def expire_older(subscription: Subscription, published_before_ms: int) -> None:
    """What was published before a time is passed over.

    Raises:
        ConflictError: nothing is left.
        LedgerError: entries could not be read.
    """
    topic = subscription.topic
    ledger = log_of(topic)  # type: ignore[arg-type]
    if cursor_of(subscription).backlog_entries == 0:
        raise ConflictError(
            _TOO_LATE.format(
                kind="timestamp",
                topic=topic.name,
                subscription=subscription.name,
                reason=_NOTHING_TO_DO,
            )
        )
    first_kept = await first_published_since(ledger, published_before_ms)
    subscription.ack_through(ledger.previous_position(first_kept))
    _go_on(subscription)


def expire_through(subscription: Subscription, position: Position, *, excluded: bool) -> None:
    """All up to a message is passed over, it too unless `excluded`.

    Raises:
        ConflictError: there is no such message.
    """
    topic = subscription.topic
    ledger = log_of(topic)  # type: ignore[arg-type]
    if position > ledger.last_position:
        raise ConflictError(
            _TOO_LATE.format(
                kind="position",
                topic=topic.name,
                subscription=subscription.name,
                reason="invalid message position provided.",
            )
        )
    subscription.ack_through(ledger.previous_position(position) if excluded else position)
    _go_on(subscription)


def check_persistent(persistent: bool, what: str) -> None:
    """Raises UnsupportedError for a topic that keeps nothing."""
    if not persistent:
        raise UnsupportedError(f"{what} on a non-persistent topic is not allowed")


def _go_on(subscription: Subscription) -> None:
    subscription.entries_available()
    subscription.tell_end_of_topic()
