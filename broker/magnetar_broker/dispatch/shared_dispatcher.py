"""Sends a subscription's entries to whichever consumer has room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from magnetar_ledger.position import Position

from magnetar_broker.consumer_link import ConsumeContext
from magnetar_broker.dispatch.delayed_delivery import DelayedDelivery
from magnetar_broker.dispatch.entry_charges import EntryCharges
from magnetar_broker.dispatch.entry_feed import EntryFeed
from magnetar_broker.dispatch.replay_reader import ReplayReader
from magnetar_broker.dispatch.shared import SharedCore
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_ledger.managed import Cursor, ManagedLedger

    from magnetar_broker.consumer import Consumer

_REPLAY_CHARGE_BYTES: Final = 8_192
_REPLAYED_ENTRY_CHARGE_BYTES: Final = 2_048
"""Of each run that is sent again, and of each entry in it, on top of its bytes: finding it takes as
long as sending so much.

Scenario: a thousand small delayed messages became due, one here and one there in the topic, and all
of them were sent in one turn of the loop, of 25 ms.
"""
PARKING_CHARGE_BYTES: Final = 8_192
"""What parking an entry takes of a turn's bytes: as long as sending so many."""
LEFT_TO_FEED_CHARGE_BYTES: Final = 4_096
"""Of each entry that waits no more, but is given by the feed."""


class SharedDispatcher:
    """Shared: what must be sent again goes first, then what comes next in the topic."""

    def __init__(
        self,
        topic_name: TopicName,
        ledger: ManagedLedger,
        cursor: Cursor,
        context: ConsumeContext,
        core: SharedCore | None = None,
    ) -> None:
        name = f"{topic_name} {cursor.name}"
        self.core = core or SharedCore(context.limits, cursor.redeliveries)
        if context.unacked_budget.limited:
            self.core.budget = context.unacked_budget
            self.core.budget.join(self.core, self._let_go)
        self._cursor = cursor
        self._context = context
        self._delayed = DelayedDelivery(cursor, context, self.dispatch, self._start_anew)
        self._feed = EntryFeed(ledger, context, name, self.dispatch, self._next_to_read)
        self._replays = ReplayReader(ledger, context, name, self.dispatch)
        self._charges = EntryCharges(cursor)
        self._yielded = False
        self._closed = False

    @property
    def consumers(self) -> Sequence[Consumer]:
        return self.core.consumers

    @property
    def delayed(self) -> tuple[int, int]:
        """How many entries wait for their time, and what the index of them takes in memory."""
        return self._delayed.index.rows, self._delayed.index.size_bytes

    def add(self, consumer: Consumer) -> None:
        if not self.core.consumers:
            self._charges.rewind()
            self._delayed.rewind()
            self._feed.seek(self._cursor.first_unacked())
            self._cursor.read_position = self._feed.position
            self._cursor.active = True
        self.core.add(consumer)

    def remove(self, consumer: Consumer) -> None:
        self.core.remove(consumer)
        if self.core.consumers:
            self.dispatch()
        else:
            self._cursor.active = False
            self._replays.forget()

    def may_unsubscribe(self, consumer: Consumer) -> bool:
        return list(self.core.consumers) == [consumer]

    def flow(self, consumer: Consumer, permits: int) -> None:
        self.core.flow(consumer, permits)
        self.dispatch()

    def redeliver(self, consumer: Consumer, positions: Iterable[Position] | None) -> None:
        if self.core.redeliver(consumer, positions):
            self._cursor.redelivered()
            self.dispatch()

    def acked(self, consumer: Consumer, position: Position, remaining: int) -> None:
        self._charges.acked(position)
        if not remaining:
            self._delayed.acked(position)
        self.core.acked(consumer, position, remaining)

    def limits_changed(self) -> None:
        """Consumers may hold more or fewer messages than before."""
        self.core.limits_changed()
        self.dispatch()

    def acks_done(self) -> None:
        if self.core.room_made:
            self.dispatch()

    async def finish(self) -> None:
        """The topic is about to close: store what another owner would have to find again."""
        await self._delayed.finish()

    def close(self) -> None:
        self._closed = True
        self._context.unacked_budget.leave(self.core)
        self._feed.close()
        self._replays.close()
        self._delayed.close()

    def dispatch(self) -> None:
        if self._yielded or self._closed or not self._delayed.ready:
            return
        self.core.room_made = False
        budget = self._context.limits.turn_max_bytes
        while (size := self._turn()) is not None:
            budget -= size
            if budget <= 0:
                self._yielded = True
                self._context.call_soon(self._go_on)
                break
        if not len(self.core.replay):
            self._replays.forget()
        self._cursor.read_position = self._feed.position

    def _turn(self) -> int | None:
        """Send to one consumer; returns the bytes, None if there is nothing or nobody now."""
        core, feed, delayed = self.core, self._feed, self._delayed
        consumer = core.next_consumer()
        if consumer is None:
            return None
        if delayed.index.rows and not len(core.replay):
            left = delayed.release(core.replay, feed)
            if left:
                return left * LEFT_TO_FEED_CHARGE_BYTES
        if len(core.replay):
            return self._replay_turn(consumer)
        if delayed.held_back or not feed.fill(consumer.permits * len(core.consumers)):
            return None
        ledger_id, first = feed.ledger_id, feed.entry_id
        self.core.turn_taken(consumer)
        turn = feed.payloads[feed.offset : feed.offset + self._share_of(consumer)]
        if Position(ledger_id, first) > self._charges.acked_until:
            used, size = self._send_new(consumer, ledger_id, first, turn)
        else:
            used, size = self._send_any(consumer, ledger_id, first, turn, self._delayed)
        feed.advance(used)
        return size

    def _replay_turn(self, consumer: Consumer) -> int | None:
        """Send some entries again; returns the bytes, None if they must be read first."""
        replay = self.core.replay
        run = replay.first_run(self._context.limits.read_max_entries)
        if run is None:
            return 0
        position, count = run
        got = self._replays.fetch(position, count)
        if got is None:
            return None
        (ledger_id, first), payloads = got
        self.core.turn_taken(consumer)
        turn = payloads[: self._share_of(consumer)]
        # What is sent again has had its time.
        used, size = self._send_any(consumer, ledger_id, first, turn, None)
        end = first + used if payloads else position.entry_id + count
        for entry_id in range(position.entry_id, end):
            replay.discard(ledger_id, entry_id)
        return size + _REPLAY_CHARGE_BYTES + used * _REPLAYED_ENTRY_CHARGE_BYTES

    def _share_of(self, consumer: Consumer) -> int:
        """How many entries one turn of a consumer has at most."""
        return min(consumer.permits, self._context.limits.round_robin_max_entries)

    def _send_new(
        self, consumer: Consumer, ledger_id: int, entry_id: int, payloads: list[bytes]
    ) -> tuple[int, int]:
        """Entries that nobody was sent before; returns how many were, and the bytes."""
        room = self.core.room_of(consumer)
        counts = self._delayed.counts_within(payloads, room)
        if not counts:
            return self._send_any(consumer, ledger_id, entry_id, payloads, self._delayed)
        used = len(counts)
        del payloads[used:]
        consumer.send_run(ledger_id, entry_id, payloads)
        size = sum(map(len, payloads))
        consumer.charge(self.core.sent(consumer, ledger_id, entry_id, counts), size)
        return used, size

    def _send_any(
        self,
        consumer: Consumer,
        ledger_id: int,
        entry_id: int,
        payloads: list[bytes],
        delayed: DelayedDelivery | None,
    ) -> tuple[int, int]:
        """Entries that may have been sent before, or acked; returns how many, and the bytes."""
        core, charges = self.core, self._charges
        used = size = 0
        room = core.room_of(consumer)
        for payload in payloads:
            messages = charges.unacked(ledger_id, entry_id, payload)
            if messages and delayed is not None and delayed.park(ledger_id, entry_id, payload):
                if delayed.held_back:
                    break
                size += PARKING_CHARGE_BYTES
            elif messages:
                count = core.redeliveries.of(ledger_id, entry_id)
                consumer.send_entry(ledger_id, entry_id, count, charges.ack_set, payload)
                consumer.charge(core.sent(consumer, ledger_id, entry_id, (messages,)), len(payload))
                size += len(payload)
                room -= messages
            used += 1
            entry_id += 1
            if room <= 0:
                break
        return used, size

    def _next_to_read(self, position: Position) -> Position:
        """The first entry from here on that is worth reading from storage."""
        if self._delayed.index.rows:
            return self._delayed.next_to_read(position)
        if position > self._charges.acked_until:
            return position
        return self._cursor.next_unacked(position)

    def _start_anew(self) -> None:
        """All consumers have to come again: what they hold would be sent twice otherwise."""
        for consumer in list(self.core.consumers):
            subscription = consumer.subscription
            consumer.close()
            if subscription is not None:
                subscription.detach(consumer)

    def _let_go(self) -> None:
        """All subscriptions together, or this one, hold little enough again."""
        self._context.call_soon(self.dispatch)

    def _go_on(self) -> None:
        self._yielded = False
        self.dispatch()
