"""What policies have done from time to time: messages and subscriptions expire, backlogs end."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from magnetar_runtime.bugs import report_bug

from magnetar_broker.errors import OUTSIDE_ERRORS

if TYPE_CHECKING:
    from magnetar_runtime.clock import Clock

    from magnetar_broker.topic import Topic

log = logging.getLogger(__name__)


class Upkeep:
    """Of the topics that are loaded. What fails for one is tried again the next time."""

    def __init__(self, loaded: Mapping[str, Topic], clock: Clock) -> None:
        self._loaded = loaded
        self._clock = clock

    async def expire_messages(self) -> None:
        """Let subscriptions be done with messages that are older than the TTL of their topic."""
        await self._of_each(_expire, "expire messages")

    async def check_backlogs(self) -> None:
        """Act where a backlog is over its quota."""
        await self._of_each(lambda topic: topic.backlog.enforce(), "check the backlog")

    async def expire_subscriptions(self) -> None:
        """Delete durable subscriptions that nobody has used for long."""
        await self._of_each(self._expire_subscriptions, "expire subscriptions")

    async def _expire_subscriptions(self, topic: Topic) -> None:
        after_ms = topic.policies.subscription_expiration_ms
        if not after_ms or topic.name.is_system:
            return
        for subscription in list(topic.subscriptions.values()):
            unused_ms = (self._clock.monotonic_ns() - subscription.used_ns) // 1_000_000
            if subscription.durable and not subscription.consumers and unused_ms >= after_ms:
                log.info("subscription %s of %s expired", subscription.name, topic.name)
                await subscription.delete()

    async def _of_each(self, action: Callable[[Topic], Awaitable[None]], what: str) -> None:
        for topic in list(self._loaded.values()):
            if topic.closing or not topic.name.persistent:
                continue
            try:
                await action(topic)
            except OUTSIDE_ERRORS as error:
                log.warning("topic %s: could not %s: %s", topic.name, what, error)
            except Exception as error:  # noqa: BLE001 - it must not end the broker for all others
                report_bug(f"topic {topic.name}: could not {what}", error)


async def _expire(topic: Topic) -> None:
    if topic.policies.message_ttl_s and not topic.name.is_system:
        await topic.backlog.expire(topic.policies.message_ttl_s)
