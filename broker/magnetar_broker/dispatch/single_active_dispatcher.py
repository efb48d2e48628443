"""Sends a subscription's entries, in order, to its one active consumer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from magnetar_ledger.position import Position

from magnetar_broker.consumer_link import ConsumeContext
from magnetar_broker.dispatch.entry_charges import EntryCharges, counts_within
from magnetar_broker.dispatch.entry_feed import EntryFeed
from magnetar_broker.dispatch.single_active import Change, SingleActiveCore
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_ledger.managed import Cursor, ManagedLedger

    from magnetar_broker.consumer import Consumer


class SingleActiveDispatcher:
    """Exclusive and Failover. Nothing is remembered per entry: giving back rewinds the cursor."""

    def __init__(
        self,
        topic_name: TopicName,
        ledger: ManagedLedger,
        cursor: Cursor,
        context: ConsumeContext,
        *,
        failover: bool,
    ) -> None:
        self._core = SingleActiveCore(str(topic_name), topic_name.partition_index)
        self._cursor = cursor
        self._context = context
        self._failover = failover
        self._feed = EntryFeed(ledger, context, f"{topic_name} {cursor.name}", self.dispatch)
        self._charges = EntryCharges(cursor)
        self._waiting = False  # for the acks of a consumer that was active
        self._yielded = False
        self._closed = False

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
        return len(self._core.consumers) == 1 and self._core.active is consumer

    def flow(self, consumer: Consumer, permits: int) -> None:
        consumer.permits += permits
        if consumer is self._core.active:
            self.dispatch()

    def redeliver(self, consumer: Consumer, positions: Iterable[Position] | None) -> None:
        """Order is what these types promise, so there is no giving back of single entries: all
        that is not acked comes again, from the first on."""
        del positions
        if consumer is self._core.active and not self._waiting:
            self._rewind()
            self.dispatch()

    def acked(self, consumer: Consumer, position: Position, remaining: int) -> None:
        del consumer, remaining
        self._charges.acked(position)

    def acks_done(self) -> None:
        """Acks make no room here: only permits do."""

    def close(self) -> None:
        self._closed = True
        self._feed.close()

    def dispatch(self) -> None:
        consumer = self._core.active
        if consumer is None or self._waiting or self._yielded or self._closed:
            return
        budget = self._context.limits.turn_max_bytes
        link, feed = consumer.link, self._feed
        while consumer.permits > 0 and link.writable and feed.fill(consumer.permits):
            if budget <= 0:
                # What was sent leaves with the end of this turn; only then is it known whether
                # the connection takes more.
                self._yielded = True
                self._context.call_soon(self._go_on)
                break
            budget -= self._send_batch(consumer)
        self._cursor.read_position = feed.position

    def _send_batch(self, consumer: Consumer) -> int:
        """Send from the current batch what permits allow; returns the bytes."""
        feed, permits = self._feed, consumer.permits
        payloads = feed.payloads[feed.offset : feed.offset + permits]
        if feed.position <= self._charges.acked_until:
            return self._send_unacked(consumer, payloads)
        counts = counts_within(payloads, permits)
        if not counts:
            return self._send_unacked(consumer, payloads)
        del payloads[len(counts) :]
        consumer.send_run(feed.ledger_id, feed.entry_id, payloads)
        feed.advance(len(counts))
        size = sum(map(len, payloads))
        consumer.charge(sum(counts), size)
        return size

    def _send_unacked(self, consumer: Consumer, payloads: list[bytes]) -> int:
        """The same where entries may be markers, or have been acked before they are read."""
        feed, charges = self._feed, self._charges
        ledger_id, entry_id = feed.ledger_id, feed.entry_id
        used = charged = size = 0
        for payload in payloads:
            messages = charges.unacked(ledger_id, entry_id, payload)
            if messages:
                consumer.send_entry(ledger_id, entry_id, 0, charges.ack_set, payload)
                size += len(payload)
                charged += messages
            used += 1
            entry_id += 1
            if charged >= consumer.permits:
                break
        feed.advance(used)
        consumer.charge(charged, size)
        return size

    def _go_on(self) -> None:
        self._yielded = False
        self.dispatch()

    def _rewind(self) -> None:
        self._charges.rewind()
        self._feed.seek(self._cursor.first_unacked())

    def _changed(self, change: Change, newcomer: Consumer | None) -> None:
        self._cursor.active = bool(self._core.consumers)
        if change is Change.NONE and self._failover and newcomer is not None:
            newcomer.send_active_change(False)
        if change in (Change.NONE, Change.EMPTY):
            return
        delay_ms = self._context.limits.failover_delay_ms if self._failover else 0
        if delay_ms <= 0:
            self._begin()
        elif not self._waiting:
            # Acks of the consumer that was active may be on their way. Clients that come together
            # also settle who is active before any of them is told.
            self._waiting = True
            self._context.call_later(delay_ms / 1000, self._waited)

    def _waited(self) -> None:
        self._waiting = False
        if not self._closed:
            self._begin()

    def _begin(self) -> None:
        """The active consumer gets all that is not acked."""
        self._rewind()
        if self._failover:
            self._core.announce()
        self.dispatch()
