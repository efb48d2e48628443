"""A topic's backlog, and what its quotas have done about it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from magnetar_broker.errors import BacklogHeldError, BacklogRefusedError
from magnetar_broker.policies.backlog_size import backlog_bytes, position_leaving
from magnetar_broker.policies.values import QuotaAction
from magnetar_broker.seek import publish_time_ms
from magnetar_broker.volatile import VolatileLedger

if TYPE_CHECKING:
    from magnetar_ledger.managed import ManagedLedger
    from magnetar_ledger.position import Position

    from magnetar_broker.policies.values import BacklogQuota
    from magnetar_broker.subscription import Subscription
    from magnetar_broker.topic import Topic

log = logging.getLogger(__name__)

_LEFT_BY_EVICTION: Final = 0.9
"""Of the limit, as Pulsar: else the next message would be too much again."""
_ONE_ENTRY_BYTES: Final = 1


class Backlog:
    """One topic's. A topic without subscriptions has none."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic

    @property
    def size_bytes(self) -> int:
        """What the slowest durable subscription has before it."""
        ledger, slowest = self._ledger, self._slowest
        if ledger is None or slowest is None:
            return 0
        return backlog_bytes(ledger.ledgers, slowest.cursor.mark_delete)

    async def oldest_ms(self) -> int | None:
        """When the oldest message of the backlog was published; None if there is none.

        Raises:
            LedgerError: It cannot be read.
        """
        ledger, slowest = self._ledger, self._slowest
        if ledger is None or slowest is None:
            return None
        return await _published_ms(ledger, slowest)

    async def check_producer(self) -> None:
        """Whether the topic takes a producer.

        Raises:
            BacklogHeldError, BacklogRefusedError: Its backlog is over a quota.
            LedgerError: The age of the backlog cannot be told.
        """
        exceeded = await self._exceeded()
        if exceeded is None or exceeded.action is QuotaAction.EVICT:
            return
        text = f"Cannot create producer on topic with backlog quota exceeded: {self._topic.name}"
        if exceeded.action is QuotaAction.HOLD:
            raise BacklogHeldError(text)
        raise BacklogRefusedError(text)

    async def enforce(self) -> None:
        """Do what the quotas say if the backlog is over one. Raises LedgerError."""
        exceeded = await self._exceeded()
        if exceeded is None or self._topic.closing:
            return
        if exceeded.action is not QuotaAction.EVICT:
            if self._topic.producers:
                log.info("topic %s has a backlog over its quota: no producers", self._topic.name)
                self._topic.attached.close_all()
        elif exceeded is self._topic.policies.storage_quota:
            self._evict_to(int(exceeded.limit * _LEFT_BY_EVICTION))
        else:
            await self.expire(exceeded.limit)

    async def _exceeded(self) -> BacklogQuota | None:
        """The quota that the backlog is over, if there is one."""
        policies = self._topic.policies
        storage, age = policies.storage_quota, policies.age_quota
        if self._ledger is None or (storage.limit < 0 and age.limit <= 0):
            return None
        if self._topic.name.is_system:
            return None
        if storage.limit >= 0 and self.size_bytes >= storage.limit:
            return storage
        if age.limit > 0:
            oldest_ms = await self.oldest_ms()
            now_ms = self._topic.service.clock.wall_ms()
            if oldest_ms is not None and now_ms - oldest_ms > age.limit * 1000:
                return age
        return None

    def _evict_to(self, most_bytes: int) -> None:
        ledger = self._ledger
        assert ledger is not None
        position = position_leaving(ledger.ledgers, most_bytes)
        if position is None:
            return
        for subscription in self._durable():
            if subscription.cursor.mark_delete < position:
                self._expire_through(subscription, position)

    async def expire(self, after_s: int) -> None:
        """Let all subscriptions be done with what was published so long ago. Raises LedgerError."""
        ledger = self._ledger
        if ledger is None:
            return
        before_ms = self._topic.service.clock.wall_ms() - after_s * 1000
        behind: list[Subscription] = []
        for subscription in self._durable():
            oldest_ms = await _published_ms(ledger, subscription)
            if oldest_ms is not None and oldest_ms < before_ms:
                behind.append(subscription)
        if not behind:
            return
        # What is appended while it is searched is younger.
        last = ledger.last_position
        found = await ledger.find_first(lambda payload: publish_time_ms(payload) >= before_ms)
        position = last if found is None else ledger.previous_position(found)
        if not self._topic.closing:
            for subscription in behind:
                self._expire_through(subscription, position)

    def _expire_through(self, subscription: Subscription, position: Position) -> None:
        expired = subscription.expire_through(position)
        if expired:
            log.info(
                "subscription %s of %s: %d entries expired",
                subscription.name,
                self._topic.name,
                expired,
            )

    @property
    def _ledger(self) -> ManagedLedger | None:
        ledger = self._topic.ledger
        return None if isinstance(ledger, VolatileLedger) else ledger

    def _durable(self) -> list[Subscription]:
        return [each for each in self._topic.subscriptions.values() if each.durable]

    @property
    def _slowest(self) -> Subscription | None:
        return min(self._durable(), key=lambda each: each.cursor.mark_delete, default=None)


async def _published_ms(ledger: ManagedLedger, subscription: Subscription) -> int | None:
    """When the oldest message that is not acknowledged was published."""
    cursor = subscription.cursor
    if not cursor.backlog_entries:
        return None
    start = ledger.next_position(cursor.mark_delete)
    _, payloads = await ledger.read(start, 1, _ONE_ENTRY_BYTES)
    return publish_time_ms(payloads[0]) if payloads else None
