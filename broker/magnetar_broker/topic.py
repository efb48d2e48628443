"""A topic: its ledger, its producers and subscriptions, its life."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from magnetar_runtime.scope import TaskScope

from magnetar_broker.deduplication import NONE
from magnetar_broker.errors import ServiceNotReadyError, TopicTerminatedError
from magnetar_broker.policies.backlog import Backlog
from magnetar_broker.policies.publish_rate import PublishRate
from magnetar_broker.publishing import PublishPath
from magnetar_broker.topic_producers import TopicProducers, Waiter
from magnetar_broker.topic_work import TopicWork
from magnetar_broker.volatile import VolatileLedger

if TYPE_CHECKING:
    from magnetar_ledger.errors import LedgerError
    from magnetar_ledger.managed.managed_ledger import ManagedLedger
    from magnetar_ledger.position import Position

    from magnetar_broker.dedup_keeper import DedupKeeper
    from magnetar_broker.policies.values import TopicPolicies
    from magnetar_broker.producer import Producer
    from magnetar_broker.service import BrokerService
    from magnetar_broker.subscription import Subscription
    from magnetar_broker.topic_name import TopicName

    TopicLedger = ManagedLedger | VolatileLedger

log = logging.getLogger(__name__)

_FINISHED_AT_A_TIME: Final = 8


class Topic:
    """One topic, owned by this broker.

    Attributes:
        policies: What holds for it now.
        consume_context: What its subscriptions share, with limits that follow its policies, and a
            scope in which a bug costs this topic alone.
        backlog: Whether its backlog is over a quota.
        attached: Who publishes here, or waits to.
        subscriptions: By name.
        publishing: The way of what they publish.
        dedup_keeper: Keeps the sequence ids; None where repeats are taken like any message.
        closing: The topic is being closed or deleted; nobody may attach any more.
        is_lost: Another broker owns it, or may: nothing of it is stored, sent or kept any more.
        used_ns: When (on the monotonic clock) it was loaded, or somebody left it last.
    """

    def __init__(
        self,
        name: TopicName,
        ledger: TopicLedger,
        service: BrokerService,
        policies: TopicPolicies,
    ) -> None:
        self.name = name
        self.ledger = ledger
        self.service = service
        self.policies = policies
        limits = replace(service.config.consume)
        work = TopicWork(self)
        self.consume_context = replace(service.consume_context, limits=limits, scope=work)
        self._limit_consumers()
        self.backlog = Backlog(self)
        self.partition_index = name.partition_index
        self.attached = TopicProducers(self, ledger.properties, ledger.set_property)
        self.subscriptions: dict[str, Subscription] = {}
        self.closing = False
        self.is_lost = False
        self.used_ns = service.clock.monotonic_ns()
        self.dedup_keeper: DedupKeeper | None = None
        self.publishing = PublishPath(self, ledger)
        self.publish = self.publishing.publish
        self.publish_rate = PublishRate(self)
        self.in_order = self.publishing.in_order
        ledger.on_fenced = self._lost
        self._limit_messages()

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
    def counters(self) -> tuple[int, int, int]:
        """What rates are taken of."""
        return self.messages_in, self.bytes_in, self.entries_in

    @property
    def pending_entries(self) -> int:
        """Entries that are on their way to the ledger."""
        return self.publishing.pending_entries

    # Policies.

    def apply(self, policies: TopicPolicies) -> None:
        """Follow other policies from now on."""
        before, self.policies = self.policies, policies
        if policies == before:
            return
        self._limit_consumers()
        self._limit_messages()
        if not isinstance(self.ledger, VolatileLedger):
            self.ledger.apply(policies.ledger)
        for subscription in list(self.subscriptions.values()):
            subscription.limits_changed()
        switched = policies.deduplication != before.deduplication
        if switched and self.name.persistent and not self.name.is_system:
            # What is under way was not looked at: the topic begins anew, and knows all repeats.
            self.service.topics.unload_soon(self)

    def _limit_consumers(self) -> None:
        limits, policies = self.consume_context.limits, self.policies
        limits.max_consumers_per_topic = policies.max_consumers
        limits.max_consumers_per_subscription = policies.max_consumers_per_subscription
        limits.max_subscriptions_per_topic = policies.max_subscriptions
        limits.max_unacked_messages_per_consumer = policies.max_unacked_per_consumer
        limits.max_unacked_messages_per_subscription = policies.max_unacked_per_subscription
        limits.delayed_delivery_enabled = policies.delayed_delivery
        limits.delayed_delivery_tick_ms = policies.delayed_tick_ms

    def _limit_messages(self) -> None:
        """A topic without limits of its own is asked neither per message nor per chunk for them."""
        publishing, rate = self.publishing, self.publish_rate
        limited = self.policies.max_message_bytes > 0
        self.publish = publishing.publish_limited if limited else publishing.publish
        limited = rate.follow(self.policies.publish_rate)
        self.append_published = rate.append_published if limited else publishing.append_published
        self.hold_if_full = rate.hold_if_over if limited else publishing.hold_if_full

    # Life.

    @property
    def connected(self) -> int:
        """Producers and consumers."""
        consumers = sum(len(each.consumers) for each in self.subscriptions.values())
        return len(self.producers) + consumers

    @property
    def inactive(self) -> bool:
        """Nobody is attached, nothing keeps messages, and that for long."""
        rule = self.policies.inactive
        if not rule.enabled or self.producers or not self.publishing.idle:
            return False
        for subscription in self.subscriptions.values():
            if subscription.consumers or not rule.caught_up or subscription.cursor.backlog_entries:
                return False
        unused_ms = (self.service.clock.monotonic_ns() - self.used_ns) // 1_000_000
        return unused_ms >= rule.after_ms and not self._retains(unused_ms)

    def _retains(self, unused_ms: int) -> bool:
        """Whether messages may be there whose time of retention is not over."""
        kept_ms = self.policies.retention.time_ms
        return self.name.persistent and (kept_ms < 0 or unused_ms < kept_ms)

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

    def give_up(self) -> None:
        """A bug was met, and what is in memory may be wrong: send nothing and take no ack any more.
        Whoever asks for the topic then has it begin anew from what is stored."""
        began, self.closing = self.closing, True
        with ExitStack() as steps:  # each is taken, whatever the bug has left the others in
            if not (began or self.service.scope.closed):
                steps.callback(self.service.topics.unload_soon, self)
            steps.callback(self.attached.close_all)
            for subscription in self.subscriptions.values():
                steps.callback(subscription.lose)

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
        """Send producers and consumers away, delete the ledgers and cursors.

        Policies go before the topic, as a broker that dies then leaves none to the next topic of
        this name; and again behind it, as somebody may have set some in between.
        """
        policies = self.service.policy_store.of_session()
        await self._detach_all()
        if self.dedup_keeper is not None:
            await self.dedup_keeper.stop()
        if self.name.is_partition:  # policies are of all partitions
            await self.ledger.delete()
            return
        try:
            # Scenario: another broker has the topic since, and what is set for it is still wanted.
            await self.ledger.claim()
            await policies.forget_topic(self.name)
        except BaseException:
            await self.ledger.close()
            raise
        await self.ledger.delete()
        await policies.forget_topic(self.name)

    async def _detach_all(self) -> None:
        self.closing = True
        self.attached.close_all()
        self.publishing.release()
        self.publish_rate.release()
        subscriptions = list(self.subscriptions.values())
        await _finish_all(subscriptions)
        for subscription in subscriptions:
            await subscription.close()


async def _finish_all(subscriptions: Sequence[Subscription]) -> None:
    """Some at a time: each may have a bucket of its delayed messages to write."""
    left = iter(subscriptions)

    async def some() -> None:
        for subscription in left:
            await subscription.finish()

    async with TaskScope() as scope:
        for number in range(min(_FINISHED_AT_A_TIME, len(subscriptions))):
            scope.spawn(some(), name=f"finish subscriptions {number}")
