"""A topic with subscriptions over a log in memory."""

import asyncio
from typing import Any

from magnetar_broker.consumer import Consumer
from magnetar_broker.subscribe import SubscriptionOptions, open_subscription
from magnetar_broker.subscription import Subscription
from magnetar_broker.subscription_type import SubscriptionType

from tests.broker.consuming import (
    TOPIC,
    FakeLink,
    LoopScope,
    MemoryLog,
    Timers,
    consumer,
    context,
)


class MemoryTopic:
    """A `SubscribedTopic`."""

    def __init__(self, **limits: Any) -> None:
        self.name = TOPIC
        self.ledger: Any = MemoryLog()
        self.subscriptions: dict[str, Subscription] = {}
        self.closing = False
        self.used_ns = 0
        self.timers = Timers()
        self.scope = LoopScope()
        self.context = context(self.timers, self.scope, **limits)

    async def open(self, name: str = "s", **fields: Any) -> Subscription:
        fields.setdefault("earliest", True)
        options = SubscriptionOptions(name=name, **fields)
        return await open_subscription(self, options, self.context)

    async def attach(
        self,
        subscription: Subscription,
        kind: SubscriptionType = SubscriptionType.EXCLUSIVE,
        name: str = "c",
        permits: int = 0,
        link: FakeLink | None = None,
        consumer_id: int = 1,
        **fields: Any,
    ) -> Consumer:
        """Attach a consumer that stays wanted."""
        one = consumer(name, kind, link=link, consumer_id=consumer_id, **fields)
        await subscription.attach(one, still_wanted=lambda: True, accepted=lambda: None)
        if permits:
            subscription.flow(one, permits)
        return one


class Gate:
    """Holds the resets of a cursor until it is opened."""

    def __init__(self, subscription: Subscription, error: Exception | None = None) -> None:
        self.opened = asyncio.Event()
        self._reset = subscription.cursor.reset
        self._error = error
        subscription.cursor.reset = self.reset  # type: ignore[method-assign]

    async def reset(self, *args: Any) -> None:
        await self.opened.wait()
        if self._error is not None:
            raise self._error
        await self._reset(*args)
