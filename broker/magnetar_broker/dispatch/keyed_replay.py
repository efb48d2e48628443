"""Entries of a Key_Shared subscription that wait, each where its consumer finds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from magnetar_ledger.position import Position

from magnetar_broker.dispatch.draining_hashes import DrainingHashes
from magnetar_broker.dispatch.replay_queue import ReplayQueue

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer


class KeyedReplay(ReplayQueue):
    """A `ReplayQueue` (of all entries) that is also one per consumer, and one per hash for those
    that no consumer may be sent now. So to look for something to send takes no search through
    what is blocked.

    An entry whose hash is not known waits in `unsorted` until it was read. When hashes get other
    owners, all entries have to find their places anew (`arrange`, some at a time): nothing may be
    sent before, or one would overtake another of its key.
    """

    __slots__ = (
        "_draining",
        "_hashes",
        "_left",
        "_owner_of",
        "_parked",
        "_queues",
        "_unplaced",
        "_waiting",
        "unsorted",
    )

    def __init__(
        self, owner_of: Callable[[int], Consumer | None], draining: DrainingHashes
    ) -> None:
        super().__init__()
        self._owner_of = owner_of
        self._draining = draining
        self._hashes: dict[int, dict[int, int]] = {}  # of entries that wait or that someone holds
        self._queues: dict[Consumer, ReplayQueue] = {}
        self._parked: dict[int, ReplayQueue] = {}
        self._waiting: dict[int, int] = {}
        self._unplaced: list[int] = []  # some of them may be gone meanwhile
        self._left: list[dict[int, ReplayQueue]] = []  # queues to be freed
        self.unsorted = ReplayQueue()

    def hash_of(self, ledger_id: int, entry_id: int) -> int | None:
        """The hash of an entry that waits, or that a consumer holds."""
        return self._hashes.get(ledger_id, {}).get(entry_id)

    def keep_hash(self, ledger_id: int, entry_id: int, hash_: int) -> None:
        """Remember the hash of an entry until it is discarded."""
        entries = self._hashes.get(ledger_id)
        if entries is None:
            entries = self._hashes[ledger_id] = {}
        entries[entry_id] = hash_

    def waits(self, hash_: int) -> bool:
        """Whether an entry of the hash waits, so that those behind it must wait too."""
        return hash_ in self._waiting

    def add(self, ledger_id: int, entry_id: int) -> None:
        if (ledger_id, entry_id) in self:
            return
        super().add(ledger_id, entry_id)
        hash_ = self.hash_of(ledger_id, entry_id)
        if hash_ is None:
            self.unsorted.add(ledger_id, entry_id)
        else:
            self._waiting[hash_] = self._waiting.get(hash_, 0) + 1
            self._place_of(hash_).add(ledger_id, entry_id)

    def sort_in(self, ledger_id: int, entry_id: int, hash_: int) -> None:
        """The hash of an entry in `unsorted` is known now."""
        self.take(ledger_id, entry_id)
        self.keep_hash(ledger_id, entry_id, hash_)
        self.add(ledger_id, entry_id)

    def take(self, ledger_id: int, entry_id: int) -> None:
        """The entry waits no more: it is being sent."""
        if (ledger_id, entry_id) not in self:
            return
        super().discard(ledger_id, entry_id)
        hash_ = self.hash_of(ledger_id, entry_id)
        if hash_ is None:
            self.unsorted.discard(ledger_id, entry_id)
            return
        self._place_of(hash_).discard(ledger_id, entry_id)
        count = self._waiting.pop(hash_) - 1
        if count:
            self._waiting[hash_] = count
        else:
            self._parked.pop(hash_, None)

    def discard(self, ledger_id: int, entry_id: int) -> None:
        """The entry was acked, whether it waits or a consumer holds it."""
        self.take(ledger_id, entry_id)
        entries = self._hashes.get(ledger_id)
        if entries is not None and entries.pop(entry_id, None) is not None and not entries:
            del self._hashes[ledger_id]

    def first_of(self, consumer: Consumer) -> Position | None:
        """The first of those that the consumer may be sent."""
        queue = self._queues.get(consumer)
        run = None if queue is None else queue.first_run(1)
        return None if run is None else run[0]

    def unblock(self, hash_: int) -> bool:
        """Nobody holds entries of the hash any more. Returns whether some waited for that."""
        parked = self._parked.pop(hash_, None)
        if parked is None:
            return False
        place = self._place_of(hash_)
        for position in parked:
            place.add(*position)
        return True

    @property
    def arranged(self) -> bool:
        """Whether every entry is where its consumer finds it."""
        return not self._unplaced and not self._left

    def rearrange(self) -> None:
        """The hashes have other owners; `arrange` follows."""
        self._queues = {}
        if self._parked:
            self._left.append(self._parked)
            self._parked = {}
        self._unplaced = list(self._members)

    def arrange(self, most: int) -> int:
        """Put some entries where their consumers find them, or free what was left behind.

        Returns:
            How many; `most` or fewer.
        """
        if self._left:
            count = min(most, len(self._left[-1]))
            for _ in range(count):
                self._left[-1].popitem()
            if not self._left[-1]:
                self._left.pop()
            return count
        some = self._unplaced[-most:]
        del self._unplaced[-most:]
        for key in some:
            if key in self._members:
                ledger_id, entry_id = self._position(key)
                hash_ = self.hash_of(ledger_id, entry_id)
                if hash_ is not None:
                    self._place_of(hash_).add(ledger_id, entry_id)
        return len(some)

    def clear(self) -> None:
        super().clear()
        self._hashes.clear()
        self._queues.clear()
        self._parked.clear()
        self._waiting.clear()
        self._unplaced.clear()
        self._left.clear()
        self.unsorted.clear()

    def _place_of(self, hash_: int) -> ReplayQueue:
        owner, holder = self._owner_of(hash_), self._draining.holder_of(hash_)
        if owner is None or (holder is not None and holder is not owner):
            return self._parked.setdefault(hash_, ReplayQueue())
        return self._queues.setdefault(owner, ReplayQueue())
