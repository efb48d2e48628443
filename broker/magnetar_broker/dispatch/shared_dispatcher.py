"""Sends a subscription's entries to whichever consumer has room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from magnetar_ledger.position import Position

from magnetar_broker.consumer_link import ConsumeContext
from magnetar_broker.dispatch.entry_charges import EntryCharges
from magnetar_broker.dispatch.entry_feed import EntryFeed
from magnetar_broker.dispatch.replay_reader import ReplayReader
from magnetar_broker.dispatch.shared import SharedCore
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_ledger.managed import Cursor, ManagedLedger

    from magnetar_broker.consumer import Consumer


class SharedDispatcher:
    """Shared: what must be sent again goes first, then what comes next in the topic."""

    def __init__(
        self,
        topic_name: TopicName,
        ledger: ManagedLedger,
        cursor: Cursor,
        context: ConsumeContext,
    ) -> None:
        name = f"{topic_name} {cursor.name}"
        self.core = SharedCore(context.limits)
        self._ledger = ledger
        self._cursor = cursor
        self._context = context
        self._feed = EntryFeed(ledger, context, name, self.dispatch)
        self._replays = ReplayReader(ledger, context, name, self.dispatch)
        self._charges = EntryCharges(cursor)
        self._yielded = False
        self._closed = False

    @property
    def consumers(self) -> Sequence[Consumer]:
        return self.core.consumers

    def add(self, consumer: Consumer) -> None:
        if not self.core.consumers:
            self._charges.acked_until = self._ledger.last_position
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
            self.dispatch()

    def acked(self, consumer: Consumer, position: Position, remaining: int) -> None:
        self._charges.acked(position)
        self.core.acked(consumer, position, remaining)

    def acks_done(self) -> None:
        if self.core.room_made:
            self.dispatch()

    def close(self) -> None:
        self._closed = True
        self._feed.close()
        self._replays.close()

    def dispatch(self) -> None:
        if self._yielded or self._closed:
            return
        core, feed = self.core, self._feed
        core.room_made = False
        budget = self._context.limits.turn_max_bytes
        while (consumer := core.next_consumer()) is not None:
            if budget <= 0:
                self._yielded = True
                self._context.call_soon(self._go_on)
                break
            if len(core.replay):
                size = self._replay_turn(consumer)
            elif feed.fill():
                used, size = self._send(
                    consumer, feed.ledger_id, feed.entry_id, feed.payloads, feed.offset
                )
                feed.advance(used)
            else:
                break
            if size is None:
                break
            budget -= size
        self._cursor.read_position = feed.position

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
        used, size = self._send(consumer, ledger_id, first, payloads, 0)
        end = first + used if payloads else position.entry_id + count
        for entry_id in range(position.entry_id, end):
            replay.discard(ledger_id, entry_id)
        return size

    def _send(
        self, consumer: Consumer, ledger_id: int, entry_id: int, payloads: list[bytes], offset: int
    ) -> tuple[int, int]:
        """One turn of a consumer; returns how many entries are done with, and the bytes sent."""
        core, charges = self.core, self._charges
        share = min(consumer.permits, self._context.limits.round_robin_max_entries)
        permits, used, size = consumer.permits, 0, 0
        for payload in payloads[offset : offset + share]:
            messages = charges.unacked(ledger_id, entry_id, payload)
            if messages:
                core.sent(consumer, ledger_id, entry_id, messages)
                count = core.redeliveries.of(ledger_id, entry_id)
                consumer.send_entry(ledger_id, entry_id, count, charges.ack_set, payload)
                size += len(payload)
            used += 1
            entry_id += 1
            if consumer.permits <= 0 or consumer.blocked or core.blocked:
                break
        core.turn_taken(consumer)
        consumer.sent(permits - consumer.permits, size)
        return used, size

    def _go_on(self) -> None:
        self._yielded = False
        self.dispatch()
