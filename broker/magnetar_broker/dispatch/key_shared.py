"""Key_Shared subscriptions: who may be sent an entry, and which entries wait."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from magnetar_ledger.managed.redelivery_counts import RedeliveryCounts
from magnetar_ledger.position import Position

from magnetar_broker.consume_limits import ConsumeLimits
from magnetar_broker.dispatch.draining_hashes import DrainingHashes
from magnetar_broker.dispatch.hash_ranges import (
    HashRanges,
    HashRing,
    SplitRanges,
    StickyRanges,
)
from magnetar_broker.dispatch.keyed_replay import KeyedReplay
from magnetar_broker.dispatch.shared import SharedCore
from magnetar_broker.subscription_type import KeySharing

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer


def hash_ranges_of(sharing: KeySharing, limits: ConsumeLimits) -> HashRanges:
    """Nobody has a hash yet."""
    if sharing.sticky:
        return StickyRanges()
    if limits.key_shared_consistent_hashing:
        return HashRing(limits.key_shared_points_per_consumer)
    return SplitRanges()


class KeySharedCore(SharedCore):
    """`SharedCore` where the key of an entry says who gets it.

    An entry is sent to the owner of its hash if no other consumer holds entries of this hash and
    none that comes before it waits. Otherwise it waits in `replay`, and those behind it are looked
    at, up to a limit.
    """

    replay: KeyedReplay

    def __init__(
        self,
        limits: ConsumeLimits,
        sharing: KeySharing,
        redeliveries: RedeliveryCounts | None = None,
    ) -> None:
        super().__init__(limits, redeliveries)
        self.sharing = sharing
        self.ranges = hash_ranges_of(sharing, limits)
        self.draining = DrainingHashes()
        self.replay = KeyedReplay(self.ranges.owner_of, self.draining)

    def add(self, consumer: Consumer) -> None:
        super().add(consumer)
        self.ranges.add(consumer)
        self.replay.rearrange()

    def remove(self, consumer: Consumer) -> None:
        held = list(consumer.pending)
        self.ranges.remove(consumer)
        self.replay.rearrange()
        super().remove(consumer)
        if self.consumers:
            for position in held:
                self._let_go(position)

    def forget_all(self) -> None:
        super().forget_all()
        self.draining.clear()

    def has_room(self, consumer: Consumer) -> bool:
        """Whether the consumer can be sent something now."""
        return (
            consumer.permits > 0
            and not consumer.blocked
            and not self.blocked
            and not self.held_back
            and consumer.link.writable
        )

    @property
    def look_ahead(self) -> int:
        """How many more entries may wait."""
        limits = self._limits
        most = limits.key_shared_look_ahead_per_consumer * len(self.consumers)
        return min(most, limits.key_shared_look_ahead_per_subscription) - len(self.replay)

    def receiver_of(self, hash_: int) -> Consumer | None:
        """Who can be sent an entry of the hash that waited, all before it having been sent."""
        owner = self.ranges.owner_of(hash_)
        if owner is None or not self.has_room(owner):
            return None
        holder = self.draining.holder_of(hash_)
        return owner if holder is None or holder is owner else None

    def receiver_of_new(self, hash_: int) -> Consumer | None:
        """Who can be sent an entry of the hash that comes behind all that wait."""
        if self.replay.waits(hash_) and not self.sharing.out_of_order:
            return None
        return self.receiver_of(hash_)

    def next_waiting(self) -> Position | None:
        """The first of the waiting entries that can be sent now."""
        firsts = map(self.replay.first_of, filter(self.has_room, self.consumers))
        return min((first for first in firsts if first is not None), default=None)

    def delivered(
        self, consumer: Consumer, ledger_id: int, entry_id: int, hash_: int, messages: int
    ) -> None:
        """The consumer was sent an entry, with so many unacked messages."""
        self.replay.take(ledger_id, entry_id)
        self.replay.keep_hash(ledger_id, entry_id, hash_)
        if not self.sharing.out_of_order:
            self.draining.sent(consumer, hash_)
        self.sent(consumer, ledger_id, entry_id, (messages,))

    def wait(self, ledger_id: int, entry_id: int, hash_: int) -> None:
        """The entry cannot be sent now."""
        holder = self.draining.holder_of(hash_)
        if holder is not None and holder is not self.ranges.owner_of(hash_):
            self.draining.blocked(hash_)
        self.replay.keep_hash(ledger_id, entry_id, hash_)
        self.replay.add(ledger_id, entry_id)

    def acked(self, consumer: Consumer, position: Position, remaining: int) -> None:
        if remaining == 0 and self._holder(consumer, position) is not None:
            self._let_go(position)
        elif remaining == 0 and position in self.replay:
            self.room_made = True  # to look ahead
        super().acked(consumer, position, remaining)

    def redeliver(self, consumer: Consumer, positions: Iterable[Position] | None) -> int:
        asked = list(consumer.pending if positions is None else dict.fromkeys(positions))
        held = [position for position in asked if position in consumer.pending]
        given_back = super().redeliver(consumer, held)
        for position in held:
            self._let_go(position)
        return given_back

    def draining_hashes(self) -> Iterator[tuple[int, Consumer, int, int]]:
        """As `DrainingHashes.held`, of those hashes that have another owner by now."""
        owner_of = self.ranges.owner_of
        return (each for each in self.draining.held() if owner_of(each[0]) is not each[1])

    def _let_go(self, position: Position) -> None:
        """A consumer holds the entry no more."""
        hash_ = self.replay.hash_of(*position)
        assert hash_ is not None
        if self.sharing.out_of_order:
            return
        holder = self.draining.holder_of(hash_)
        if not self.draining.released(hash_):
            return
        if holder is not None and holder is not self.ranges.owner_of(hash_):
            holder.drained_hashes += 1
        if self.replay.unblock(hash_):
            self.room_made = True
