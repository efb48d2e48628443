"""Sends what is being published to consumers that have room for it now; the rest is dropped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from magnetar_ledger.position import Position

from magnetar_broker.consume_limits import ConsumeLimits
from magnetar_broker.dispatch.entry_charges import counts_within, messages_in
from magnetar_broker.dispatch.key_shared import hash_ranges_of
from magnetar_broker.dispatch.shared import SharedCore
from magnetar_broker.dispatch.single_active import Change, SingleActiveCore
from magnetar_broker.dispatch.sticky_keys import key_hash, sticky_key
from magnetar_broker.subscription_type import KeySharing
from magnetar_broker.topic_name import TopicName
from magnetar_broker.volatile import VolatileLedger

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer


class NonPersistentDispatcher:
    """What both kinds have in common: nothing comes twice, and acks mean nothing.

    Attributes:
        messages_dropped: Of the topic, not sent to any consumer of this subscription.
    """

    def __init__(self, ledger: VolatileLedger) -> None:
        self.messages_dropped = 0
        self._ledger = ledger

    def redeliver(self, consumer: Consumer, positions: Iterable[Position] | None) -> None:
        """What was sent is gone."""

    def acked(self, consumer: Consumer, position: Position, remaining: int) -> None:
        """Nothing waits for an ack."""

    def acks_done(self) -> None:
        """Acks make no room: only permits do."""

    def close(self) -> None:
        """No read or timer is ever under way."""

    def _send(self, consumer: Consumer, offset: int, most: int) -> int:
        """Send what the consumer has permits for from `offset` on; returns how many are done."""
        ledger = self._ledger
        payloads = ledger.payloads[offset : offset + most]
        counts = counts_within(payloads, consumer.permits)
        if not counts:
            return 1  # a marker, which is for brokers
        payloads = payloads[: len(counts)]
        consumer.send_run(ledger.ledger_id, ledger.first_entry_id + offset, payloads)
        consumer.charge(sum(counts), sum(map(len, payloads)))
        return len(counts)

    def _drop(self, offset: int) -> None:
        self.messages_dropped += sum(map(messages_in, self._ledger.payloads[offset:]))


class NonPersistentSharedDispatcher(NonPersistentDispatcher):
    """Shared: to whoever has permits, in turn."""

    def __init__(self, ledger: VolatileLedger, limits: ConsumeLimits) -> None:
        super().__init__(ledger)
        self._core = SharedCore(limits)
        self._limits = limits

    @property
    def consumers(self) -> Sequence[Consumer]:
        return self._core.consumers

    def add(self, consumer: Consumer) -> None:
        self._core.add(consumer)

    def remove(self, consumer: Consumer) -> None:
        self._core.remove(consumer)

    def may_unsubscribe(self, consumer: Consumer) -> bool:
        return self._core.consumers == [consumer]

    def flow(self, consumer: Consumer, permits: int) -> None:
        self._core.flow(consumer, permits)

    def dispatch(self) -> None:
        offset, end = 0, len(self._ledger.payloads)
        while offset < end and (consumer := self._core.next_consumer()) is not None:
            self._core.turn_taken(consumer)
            offset += self._send(consumer, offset, self._limits.round_robin_max_entries)
        if offset < end:
            self._drop(offset)


class NonPersistentKeySharedDispatcher(NonPersistentSharedDispatcher):
    """Key_Shared: to the owner of the key's hash, if that one has permits. As nothing is sent
    twice, a key that changes hands need not wait for what its former consumer holds."""

    def __init__(self, ledger: VolatileLedger, limits: ConsumeLimits, sharing: KeySharing) -> None:
        super().__init__(ledger, limits)
        self.ranges = hash_ranges_of(sharing, limits)

    def add(self, consumer: Consumer) -> None:
        super().add(consumer)
        self.ranges.add(consumer)

    def remove(self, consumer: Consumer) -> None:
        self.ranges.remove(consumer)
        super().remove(consumer)

    def rival_of(self, newcomer: Consumer) -> Consumer | None:
        """A consumer that has hashes which the newcomer names as its own."""
        return self.ranges.rival_of(newcomer)

    def dispatch(self) -> None:
        ranges = self.ranges
        for offset, payload in enumerate(self._ledger.payloads):
            owner = ranges.owner_of(ranges.reduced(key_hash(sticky_key(payload))))
            if owner is not None and owner.permits > 0 and owner.link.writable:
                self._send(owner, offset, 1)
            else:
                self.messages_dropped += messages_in(payload)


class NonPersistentSingleActiveDispatcher(NonPersistentDispatcher):
    """Exclusive and Failover: to the one active consumer."""

    def __init__(self, ledger: VolatileLedger, topic_name: TopicName, *, failover: bool) -> None:
        super().__init__(ledger)
        self._core = SingleActiveCore(str(topic_name), topic_name.partition_index)
        self._failover = failover

    @property
    def consumers(self) -> Sequence[Consumer]:
        return self._core.consumers

    @property
    def active(self) -> Consumer | None:
        return self._core.active

    def add(self, consumer: Consumer) -> None:
        self._changed(self._core.add(consumer), consumer)

    def remove(self, consumer: Consumer) -> None:
        self._changed(self._core.remove(consumer), None)

    def may_unsubscribe(self, consumer: Consumer) -> bool:
        return self._core.consumers == [consumer]

    def flow(self, consumer: Consumer, permits: int) -> None:
        consumer.permits += permits

    def dispatch(self) -> None:
        payloads, consumer = self._ledger.payloads, self._core.active
        if not payloads:
            return
        offset, end = 0, len(payloads)
        if consumer is not None:
            while offset < end and consumer.permits > 0 and consumer.link.writable:
                offset += self._send(consumer, offset, end - offset)
        if offset < end:
            self._drop(offset)

    def _changed(self, change: Change, newcomer: Consumer | None) -> None:
        if not self._failover:
            return
        if change is not Change.NONE:
            self._core.announce()
        elif newcomer is not None:
            newcomer.send_active_change(False)
