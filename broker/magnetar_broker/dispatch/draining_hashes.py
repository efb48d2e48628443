"""Who holds unacked entries of a hash: nobody else is sent one until they are acked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer


class DrainingHashes:
    """A count per hash, one int. So a hash that was given to another consumer while its former one
    holds entries drains first, however often it changes hands meanwhile."""

    def __init__(self) -> None:
        self._holders: dict[int, Consumer] = {}
        self._entries: dict[int, int] = {}

    def holder_of(self, hash_: int) -> Consumer | None:
        """Who holds entries of the hash."""
        return self._holders.get(hash_)

    def sent(self, consumer: Consumer, hash_: int) -> None:
        """The consumer was sent an entry of the hash; no other holds any."""
        count = self._entries.get(hash_, 0)
        if count == 0:
            self._holders[hash_] = consumer
        assert self._holders[hash_] is consumer, "one consumer per key at a time"
        self._entries[hash_] = count + 1

    def released(self, hash_: int) -> bool:
        """An entry was acked or given back. Returns whether it was the last of its hash."""
        count = self._entries[hash_] - 1
        if count:
            self._entries[hash_] = count
            return False
        del self._entries[hash_], self._holders[hash_]
        return True

    def held_by(self, consumer: Consumer) -> dict[int, int]:
        """The hashes of which a consumer holds entries, and how many."""
        entries = self._entries
        return {hash_: entries[hash_] for hash_, each in self._holders.items() if each is consumer}

    def clear(self) -> None:
        """Nobody holds anything."""
        self._holders.clear()
        self._entries.clear()
