"""A topic: its ledger, its producers and subscriptions, its life."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from magnetar_broker.deduplication import NONE
from magnetar_broker.errors import ServiceNotReadyError, TopicTerminatedError
from magnetar_broker.publishing import PublishPath
from magnetar_broker.topic_producers import TopicProducers, Waiter
from magnetar_broker.volatile import VolatileLedger

if TYPE_CHECKING:
    from magnetar_ledger.errors import LedgerError
    from magnetar_ledger.managed.managed_ledger import ManagedLedger
    from magnetar_ledger.position import Position

    from magnetar_broker.dedup_keeper import DedupKeeper
    from magnetar_broker.producer import Producer
    from magnetar_broker.service import BrokerService
    from magnetar_broker.subscription import Subscription
    from magnetar_broker.topic_name import TopicName

    TopicLedger = ManagedLedger | VolatileLedger

log = logging.getLogger(__name__)


class Topic:
    """One topic, owned by this broker.

    Attributes:
        attached: Who publishes here, or waits to.
        subscriptions: By name.
        publishing: The way of what they publish.
        dedup_keeper: Keeps the sequence ids; None where repeats are taken like any message.
        closing: The topic is being closed or deleted; nobody may attach any more.
        is_lost: Another broker owns it, or may: nothing of it is stored, sent or kept any more.
        used_ns: When (on the monotonic clock) it was loaded, or somebody left it last.
    """

    def __init__(self, name: TopicName, ledger: TopicLedger, service: BrokerService) -> None:
        self.name = name
        self.ledger = ledger
        self.service = service
        self.partition_index = name.partition_index
        self.attached = TopicProducers(self, ledger.properties, ledger.set_property)
        self.subscriptions: dict[str, Subscription] = {}
        self.closing = False
        self.is_lost = False
        self.used_ns = service.clock.monotonic_ns()
        self.dedup_keeper: DedupKeeper | None = None
        self.publishing = PublishPath(self, ledger)
        self.publish = self.publishing.publish
        self.append_published = self.publishing.append_published
        self.in_order = self.publishing.in_order
        ledger.on_fenced = self._lost
        self.hold_if_full = self.publishing.hold_if_full

    @property
    def entries_in(self) -> int:
        """Published since the topic was loaded."""
        return self.publishing.entries_in

    @property
    def messages_in(self) -> int:
        """Published since the topic was loaded."""
        return self.publishing.messages_in

    @property
    def bytes_in(self) -> int:
        """Published since the topic was loaded."""
        return self.publishing.bytes_in

    # Producers.

    @property
    def producers(self) -> Mapping[str, Producer]:
        """Those that are attached, by name."""
        return self.attached.by_name

    @property
    def attachable(self) -> bool:
        """Whether newcomers are taken."""
        return not (self.closing or self.publishing.fenced or self.ledger.terminated)

    def check_attachable(self) -> None:
        """Raise what keeps a newcomer from this topic as it is."""
        if self.closing or self.publishing.fenced:
            raise ServiceNotReadyError(
                f"Topic {self.name} is being closed or recovers; look it up again and retry"
            )
        if self.ledger.terminated:
            raise TopicTerminatedError(f"Topic {self.name} was terminated")

    def last_sequence_id(self, producer_name: str) -> int:
        """Where a producer of this name goes on counting behind; -1 if that is not known."""
        dedup = self.publishing.dedup
        return NONE if dedup is None else dedup.last_pushed(producer_name)

    async def add_producer(self, producer: Producer, waiter: Waiter) -> bool:
        """Attach a producer; False if it has to wait. Raises as `TopicProducers.attach` does."""
        return await self.attached.attach(producer, waiter)

    def remove_producer(self, producer: Producer) -> None:
        """Detach; what it published before still ends with a receipt or an error."""
        self.attached.remove(producer)
        self.used_ns = self.service.clock.monotonic_ns()

    # Figures.

    @property
    def counters(self) -> tuple[int, int]:
        """What rates are taken of."""
        return self.messages_in, self.bytes_in

    @property
    def pending_entries(self) -> int:
        """Entries that are on their way to the ledger."""
        return self.publishing.pending_entries

    # Life.

    @property
    def connected(self) -> int:
        """Producers and consumers."""
        consumers = sum(len(each.consumers) for each in self.subscriptions.values())
        return len(self.producers) + consumers

    @property
    def inactive(self) -> bool:
        """Nobody is attached, nothing keeps messages, and that for long."""
        if self.producers or self.subscriptions or not self.publishing.idle:
            return False
        unused_ns = self.service.clock.monotonic_ns() - self.used_ns
        return unused_ns >= self.service.config.inactive_topic_ms * 1_000_000

    async def terminate(self) -> Position:
        """Take no message any more, for good; the id of the last one.

        Raises:
            LedgerError: It may be terminated or not.
        """
        assert not isinstance(self.ledger, VolatileLedger), "there is no end to note"
        self.attached.close_all()
        position = await self.ledger.terminate()
        for subscription in list(self.subscriptions.values()):
            subscription.tell_end_of_topic()
        return position

    def lose(self, error: LedgerError) -> None:
        """Another broker owns the topic: send its clients there. What is stored there is theirs."""
        self.ledger.fenced(error)
        self._lost(error)

    def _lost(self, error: LedgerError) -> None:
        if self.is_lost:
            return
        self.is_lost = self.closing = True
        log.warning("topic %s is not served here any more: %s", self.name, error)
        self.attached.close_all()
        for subscription in list(self.subscriptions.values()):
            subscription.lose()
        self.service.topics.forget(self)

    async def close(self) -> None:
        """Send producers and consumers elsewhere, persist cursors, close the ledger."""
        await self._detach_all()
        if self.dedup_keeper is not None:
            await (self.dedup_keeper.stop() if self.is_lost else self.dedup_keeper.close())
        await self.ledger.close()

    async def delete(self) -> None:
        """Send producers and consumers away, delete the ledgers and cursors."""
        await self._detach_all()
        if self.dedup_keeper is not None:
            await self.dedup_keeper.stop()
        await self.ledger.delete()

    async def _detach_all(self) -> None:
        self.closing = True
        self.attached.close_all()
        self.publishing.release()
        for subscription in list(self.subscriptions.values()):
            await subscription.close()
