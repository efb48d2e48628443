"""Shared subscriptions: who is next, who holds what, what must be sent again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from magnetar_ledger.managed.redelivery_counts import RedeliveryCounts
from magnetar_ledger.position import Position

from magnetar_broker.consume_limits import ConsumeLimits
from magnetar_broker.dispatch.replay_queue import ReplayQueue
from magnetar_broker.unacked_budget import UnackedBudget

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer


class SharedCore:
    """Decides without reading or sending. An entry is with one consumer, or in the replay queue,
    or acked, or not read yet.

    Attributes:
        consumers: By priority level; those of one level in the order in which they came.
        unacked: Messages that all consumers together hold.
        blocked: They hold too many: nothing is sent until half of them are acked.
        held_back: All subscriptions of the broker hold too many, and this one more than its share.
        budget: Of the broker; None if it has no limit.
        room_made: A consumer or all were unblocked since the dispatcher looked last.
    """

    def __init__(self, limits: ConsumeLimits, redeliveries: RedeliveryCounts | None = None) -> None:
        """
        Args:
            redeliveries: The cursor's, which outlive consumers and broker.
        """
        self._limits = limits
        self.consumers: list[Consumer] = []
        self.replay = ReplayQueue()
        self.redeliveries = redeliveries if redeliveries is not None else RedeliveryCounts()
        self.unacked = 0
        self.blocked = False
        self.held_back = False
        self.budget: UnackedBudget | None = None
        self.room_made = False
        self._last_served: Consumer | None = None

    def add(self, consumer: Consumer) -> None:
        """Put the consumer behind those of its priority level."""
        level = consumer.priority_level
        index = sum(other.priority_level <= level for other in self.consumers)
        self.consumers.insert(index, consumer)

    def remove(self, consumer: Consumer) -> None:
        """What the consumer held goes to others; its going is not counted as a redelivery."""
        index = self.consumers.index(consumer)
        if self._last_served is consumer:
            # The turn stays where it was: with the one who would have been next.
            self._last_served = self.consumers[index - 1] if index else None
        del self.consumers[index]
        if not self.consumers:
            self.forget_all()
            return
        for ledger_id, entry_id in consumer.pending:
            self.replay.add(ledger_id, entry_id)
        self._release(consumer, consumer.unacked)
        consumer.pending.clear()

    def forget_all(self) -> None:
        """No consumer is left, or the cursor was moved: reading starts anew from the cursor."""
        self.replay.clear()
        held, self.unacked = self.unacked, 0
        self.blocked = False
        if self.budget is not None:
            self.budget.released(self, held)
        self._last_served = None

    def next_consumer(self) -> Consumer | None:
        """Whose turn it is: of the best priority level that has room, one after the other."""
        if self.blocked or self.held_back:
            return None
        level: int | None = None
        first: Consumer | None = None
        after_last = False
        for consumer in self.consumers:
            if level is not None and consumer.priority_level != level:
                break
            if consumer.permits > 0 and not consumer.blocked and consumer.link.writable:
                if first is None:
                    first, level = consumer, consumer.priority_level
                if after_last:
                    first = consumer
                    break
            if consumer is self._last_served:
                after_last = True
        return first

    def turn_taken(self, consumer: Consumer) -> None:
        """The consumer got its share; the next one follows."""
        self._last_served = consumer

    def room_of(self, consumer: Consumer) -> int:
        """How many messages the consumer can be sent before a limit is reached."""
        limits, room = self._limits, consumer.permits
        if limits.max_unacked_messages_per_consumer > 0:
            room = min(room, limits.max_unacked_messages_per_consumer - consumer.unacked)
        if limits.max_unacked_messages_per_subscription > 0:
            room = min(room, limits.max_unacked_messages_per_subscription - self.unacked)
        return room

    def sent(
        self, consumer: Consumer, ledger_id: int, first_entry_id: int, counts: Sequence[int]
    ) -> int:
        """Entries that follow on went to the consumer, each with so many unacked messages.

        Returns:
            The messages in all of them, which the consumer is to be charged for.
        """
        consumer.pending.add(ledger_id, first_entry_id, counts)
        messages = sum(counts)
        consumer.unacked += messages
        self.unacked += messages
        limits = self._limits
        if consumer.unacked >= limits.max_unacked_messages_per_consumer > 0:
            consumer.blocked = True
        if self.unacked >= limits.max_unacked_messages_per_subscription > 0:
            self.blocked = True
        if self.budget is not None:
            self.budget.sent(self, messages)
        return messages

    def limits_changed(self) -> None:
        """See who holds too much, and who does not any more, by the limits as they are now."""
        limits = self._limits
        most = limits.max_unacked_messages_per_consumer
        for consumer in self.consumers:
            consumer.blocked = consumer.unacked >= most > 0
            if not consumer.blocked:
                consumer.permits += consumer.parked_permits
                consumer.parked_permits = 0
        self.blocked = self.unacked >= limits.max_unacked_messages_per_subscription > 0

    def flow(self, consumer: Consumer, permits: int) -> None:
        """The client has room for more; while it is blocked that is only remembered."""
        if consumer.blocked:
            consumer.parked_permits += permits
        else:
            consumer.permits += permits

    def acked(self, consumer: Consumer, position: Position, remaining: int) -> None:
        """Messages of an entry were acked, by the one who holds it or by another (both may)."""
        ledger_id, entry_id = position
        holder = self._holder(consumer, position)
        if holder is not None:
            self._release(holder, holder.pending.reduce_to(ledger_id, entry_id, remaining))
        if remaining == 0:
            self.replay.discard(ledger_id, entry_id)
            self.redeliveries.forget(ledger_id, entry_id)

    def held_of(self, consumer: Consumer, position: Position) -> int:
        """How many messages of an entry whoever holds it has not acked; 0 if nobody does."""
        holder = self._holder(consumer, position)
        return 0 if holder is None else holder.pending.held_of(*position)

    def redeliver(self, consumer: Consumer, positions: Iterable[Position] | None) -> int:
        """The consumer gives entries back, all that it holds if `positions` is None.

        Entries that it does not hold are passed over: they were acked, or are with another.

        Returns:
            How many entries will be sent again.
        """
        given_back = 0
        for position in list(consumer.pending if positions is None else positions):
            if position not in consumer.pending:
                continue
            ledger_id, entry_id = position
            self._release(consumer, consumer.pending.reduce_to(ledger_id, entry_id, 0))
            self.redeliveries.increment(ledger_id, entry_id)
            self.replay.add(ledger_id, entry_id)
            given_back += 1
        consumer.redelivered_entries += given_back
        return given_back

    def _holder(self, consumer: Consumer, position: Position) -> Consumer | None:
        if position in consumer.pending:
            return consumer
        for other in self.consumers:
            if position in other.pending:
                return other
        return None

    def _release(self, consumer: Consumer, messages: int) -> None:
        consumer.unacked -= messages
        self.unacked -= messages
        limits = self._limits
        if consumer.blocked and 2 * consumer.unacked <= limits.max_unacked_messages_per_consumer:
            consumer.blocked = False
            self.room_made = True
            consumer.permits += consumer.parked_permits
            consumer.parked_permits = 0
        if self.blocked and 2 * self.unacked < limits.max_unacked_messages_per_subscription:
            self.blocked = False
            self.room_made = True
        if self.budget is not None:
            self.budget.released(self, messages)
