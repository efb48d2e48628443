"""Sends a subscription's entries each to the consumer that has its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magnetar_ledger.position import Position

from magnetar_broker.consumer_link import ConsumeContext
from magnetar_broker.dispatch.hash_ranges import HashRanges
from magnetar_broker.dispatch.key_shared import KeySharedCore
from magnetar_broker.dispatch.shared_dispatcher import (
    LEFT_TO_FEED_CHARGE_BYTES,
    PARKING_CHARGE_BYTES,
    SharedDispatcher,
)
from magnetar_broker.dispatch.sticky_keys import count_delay_and_key, key_hash, sticky_key
from magnetar_broker.subscription_type import KeySharing
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_ledger.managed import Cursor, ManagedLedger

    from magnetar_broker.consumer import Consumer

LEAST_CHARGE_BYTES: Final = 2_048
"""What the smallest entry takes of a turn's bytes: sending one takes as long as so many bytes."""
_ARRANGED_PER_TURN: Final = 512
"""Entries that find their places between two turns of the loop, in about a millisecond."""


class KeySharedDispatcher(SharedDispatcher):
    """Key_Shared: as Shared, but entries that their consumer cannot take now are passed by."""

    core: KeySharedCore

    def __init__(
        self,
        topic_name: TopicName,
        ledger: ManagedLedger,
        cursor: Cursor,
        context: ConsumeContext,
        sharing: KeySharing,
    ) -> None:
        core = KeySharedCore(context.limits, sharing, cursor.redeliveries)
        super().__init__(topic_name, ledger, cursor, context, core)
        self.core = core

    def add(self, consumer: Consumer) -> None:
        super().add(consumer)
        self.dispatch()  # with one more consumer, more may be looked at

    @property
    def ranges(self) -> HashRanges:
        """Who has which hashes."""
        return self.core.ranges

    def rival_of(self, newcomer: Consumer) -> Consumer | None:
        """A consumer that has hashes which the newcomer names as its own."""
        return self.core.ranges.rival_of(newcomer)

    def _turn(self) -> int | None:
        core = self.core
        if not any(map(core.has_room, core.consumers)):
            return None
        if not core.replay.arranged:
            return core.replay.arrange(_ARRANGED_PER_TURN) * LEAST_CHARGE_BYTES
        left = self._release_due()
        if left:
            return left * LEFT_TO_FEED_CHARGE_BYTES
        if len(core.replay.unsorted):
            return self._sort_turn()
        waiting = core.next_waiting()
        if waiting is not None:
            return self._waiting_turn(waiting)
        if self._delayed.held_back:
            return None
        if core.look_ahead > 0 and self._feed.fill(core.look_ahead):
            return self._feed_turn()
        return None

    def _release_due(self) -> int:
        """What was delayed and is due waits for its consumer like all else, so few at a time.

        Returns:
            How many more were left to the feed.
        """
        delayed, replay = self._delayed, self.core.replay
        if delayed is None or not delayed.index.rows or len(replay.unsorted):
            return 0
        return delayed.release(replay, self._feed) if self.core.look_ahead > 0 else 0

    def _sort_turn(self) -> int | None:
        """Find out the keys of entries that wait; returns the bytes, None if they must be read."""
        replay, limit = self.core.replay, self._context.limits.read_max_entries
        run = replay.unsorted.first_run(limit)
        if run is None:
            return 0
        position, count = run
        got = self._replays.fetch(position, count)
        if got is None:
            return None
        (ledger_id, first), payloads = got
        for entry_id, payload in enumerate(payloads, first):
            replay.sort_in(ledger_id, entry_id, self._hash_of(payload))
        self._gone(ledger_id, position.entry_id, first if payloads else position.entry_id + count)
        return sum(map(len, payloads)) + len(payloads) * LEAST_CHARGE_BYTES

    def _waiting_turn(self, position: Position) -> int | None:
        """Send what waited there and behind; returns the bytes, None if it must be read first."""
        most = self._context.limits.read_max_entries
        got = self._replays.fetch(position, most)
        if got is None:
            return None
        (ledger_id, first), payloads = got
        replay = self.core.replay
        self._gone(ledger_id, position.entry_id, first if payloads else position.entry_id + most)
        size = 0
        for entry_id, payload in enumerate(payloads, first):
            if (ledger_id, entry_id) in replay:
                size += self._send_waiting(ledger_id, entry_id, payload)
        return size

    def _gone(self, ledger_id: int, first: int, end: int) -> None:
        """There are no such entries any more: none of them waits.

        Consumers may hold some still: their hashes are forgotten with their acks.
        """
        replay = self.core.replay
        for entry_id in range(first, end):
            if (ledger_id, entry_id) in replay:
                replay.discard(ledger_id, entry_id)

    def _send_waiting(self, ledger_id: int, entry_id: int, payload: bytes) -> int:
        core = self.core
        hash_ = core.replay.hash_of(ledger_id, entry_id)
        consumer = core.receiver_of(hash_) if hash_ is not None else None
        if hash_ is None or consumer is None:
            return 0
        messages = self._charges.unacked(ledger_id, entry_id, payload)
        if not messages:
            core.replay.discard(ledger_id, entry_id)
            return 0
        self._deliver(consumer, ledger_id, entry_id, hash_, messages, payload)
        return len(payload) + LEAST_CHARGE_BYTES

    def _feed_turn(self) -> int:
        """Entries that nobody was sent before: those that can be sent now, and those that wait."""
        core, feed, delayed = self.core, self._feed, self._delayed
        ledger_id, entry_id = feed.ledger_id, feed.entry_id
        look_ahead, most = core.look_ahead, self._context.limits.turn_max_bytes // 2
        size = used = 0
        for payload in feed.payloads[feed.offset :]:
            count, deliver_at_ms, key = count_delay_and_key(payload)
            messages = self._charges.unacked_of(ledger_id, entry_id, count)
            if (
                messages
                and deliver_at_ms > 0
                and delayed is not None
                and delayed.park(ledger_id, entry_id, payload)
            ):
                if delayed.held_back:
                    break
                size += PARKING_CHARGE_BYTES
            elif messages:
                if not self._send_or_wait(ledger_id, entry_id, key, messages, payload):
                    look_ahead -= 1
                size += len(payload) + LEAST_CHARGE_BYTES
            used += 1
            entry_id += 1
            if look_ahead <= 0 or size >= most:
                break
        feed.advance(used)
        return size

    def _send_or_wait(
        self, ledger_id: int, entry_id: int, key: bytes, messages: int, payload: bytes
    ) -> bool:
        """An entry that nobody was sent before; whether it was sent now."""
        core = self.core
        hash_ = core.ranges.reduced(key_hash(key))
        consumer = core.receiver_of_new(hash_)
        if consumer is None:
            core.wait(ledger_id, entry_id, hash_)
            return False
        self._deliver(consumer, ledger_id, entry_id, hash_, messages, payload)
        return True

    def _deliver(
        self,
        consumer: Consumer,
        ledger_id: int,
        entry_id: int,
        hash_: int,
        messages: int,
        payload: bytes,
    ) -> None:
        count = self.core.redeliveries.of(ledger_id, entry_id)
        consumer.send_entry(ledger_id, entry_id, count, self._charges.ack_set, payload)
        consumer.charge(messages, len(payload))
        self.core.delivered(consumer, ledger_id, entry_id, hash_, messages)

    def _hash_of(self, payload: bytes) -> int:
        return self.core.ranges.reduced(key_hash(sticky_key(payload)))
