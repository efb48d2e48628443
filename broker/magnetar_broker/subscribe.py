"""How a subscription comes to be: where it begins, and that it is opened once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from magnetar_ledger.errors import LedgerError
from magnetar_ledger.position import EARLIEST, LATEST, Position

from magnetar_broker.consumer_link import ConsumeContext
from magnetar_broker.errors import (
    InvalidSubscriptionNameError,
    NotAllowedError,
    ServiceNotReadyError,
    SubscriptionNotFoundError,
)
from magnetar_broker.name_length import check_name_length
from magnetar_broker.seek import first_published_since, seek
from magnetar_broker.subscription import SubscribedTopic, Subscription

if TYPE_CHECKING:
    from magnetar_ledger.managed import Cursor

    from magnetar_broker.volatile import VolatileCursor

DEDUP_CURSOR: Final = "pulsar.dedup"
"""The cursor that keeps a topic's sequence ids; no subscription, though a cursor like theirs."""


@dataclass(frozen=True, slots=True)
class SubscriptionOptions:
    """What a SUBSCRIBE says about the subscription.

    Attributes:
        earliest: A new cursor begins with the first retained entry, else behind the last.
        start: Where a new non-durable cursor begins, with this entry itself; None leaves it to
            `earliest`. Clients skip by themselves what they asked to begin behind.
        rollback_ms: Begin with what was published so long ago; 0 is off.
        create: Whether a durable subscription may be made.
    """

    name: str
    durable: bool = True
    earliest: bool = False
    start: Position | None = None
    rollback_ms: int = 0
    properties: Mapping[str, str] = field(default_factory=dict)
    create: bool = True


def check_subscription_name(name: str) -> None:
    """Raises InvalidSubscriptionNameError for names that no path can hold, or that are reserved."""
    if not name or name in (".", "..", DEDUP_CURSOR) or name.startswith("pulsar.repl"):
        raise InvalidSubscriptionNameError(f"'{name}' cannot be the name of a subscription")
    check_name_length("subscription", name, InvalidSubscriptionNameError)


async def open_subscription(
    topic: SubscribedTopic, options: SubscriptionOptions, context: ConsumeContext
) -> Subscription:
    """The subscription of this name, made now if there is none.

    Raises:
        NotAllowedError: It exists as a durable one and a non-durable was asked for, or the reverse;
            or the topic has as many subscriptions as it may.
        SubscriptionNotFoundError: There is none and it may not be made.
        ServiceNotReadyError: The topic is closing.
        LedgerError, MetadataError: The cursor could not be opened.
    """
    key = (str(topic.name), options.name)
    while (changing := context.changing.get(key)) is not None:
        await asyncio.wait([changing])
    if topic.closing:
        raise _closing(topic)
    existing = topic.subscriptions.get(options.name)
    if existing is not None:
        return await _resumed(existing, options)
    if options.durable and not options.create:
        raise SubscriptionNotFoundError(
            f"Subscription {options.name} of {topic.name} does not exist and automatic creation "
            "is off"
        )
    _check_room(topic, context)
    context.opening.add(key)
    opened = context.changing[key] = asyncio.get_running_loop().create_future()
    try:
        return await _opened(topic, options, context)
    finally:
        context.opening.discard(key)
        del context.changing[key]
        opened.set_result(None)


def _check_room(topic: SubscribedTopic, context: ConsumeContext) -> None:
    most = context.limits.max_subscriptions_per_topic
    if not most:
        return
    # Those that are being opened count: many clients may ask at one time.
    opening = sum(topic_name == str(topic.name) for topic_name, _ in context.opening)
    if len(topic.subscriptions) + opening >= most:
        raise NotAllowedError(f"Topic {topic.name} has {most} subscriptions, its maximum")


async def _resumed(existing: Subscription, options: SubscriptionOptions) -> Subscription:
    if existing.durable != options.durable and existing.topic.name.persistent:
        asked, is_now = ("durable", "non-durable")[:: 1 if options.durable else -1]
        raise NotAllowedError(
            f"Subscription {options.name} is {is_now}, so it takes no {asked} consumer"
        )
    if options.rollback_ms and not existing.consumers:
        await seek(existing, await _rolled_back(existing.topic, options, existing.context))
    return existing


async def _opened(
    topic: SubscribedTopic, options: SubscriptionOptions, context: ConsumeContext
) -> Subscription:
    start = EARLIEST if options.earliest else LATEST
    if options.rollback_ms:
        start = await _rolled_back(topic, options, context)
    elif options.start is not None and not options.durable:
        start = options.start
    cursor = await _open_cursor(topic, options, start)
    if topic.closing:
        raise _closing(topic)
    subscription = Subscription(topic, options.name, cursor, context)
    topic.subscriptions[options.name] = subscription
    return subscription


async def _open_cursor(
    topic: SubscribedTopic, options: SubscriptionOptions, start: Position
) -> Cursor | VolatileCursor:
    if not options.durable:
        return topic.ledger.open_transient_cursor(options.name, start)
    try:
        return await topic.ledger.open_cursor(options.name, start, options.properties)
    except LedgerError as error:
        if topic.closing:
            raise _closing(topic) from error
        raise


def _closing(topic: SubscribedTopic) -> ServiceNotReadyError:
    return ServiceNotReadyError(f"Topic {topic.name} is closing; look it up again and retry")


async def _rolled_back(
    topic: SubscribedTopic, options: SubscriptionOptions, context: ConsumeContext
) -> Position:
    since_ms = context.clock.wall_ms() - options.rollback_ms
    return await first_published_since(topic.ledger, since_ms)
