"""Who holds unacked entries of a hash: nobody else is sent one until they are acked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer


class DrainingHashes:
    """A count per hash, one int. So a hash that was given to another consumer while its former one
    holds entries drains first, however often it changes hands meanwhile."""

    def __init__(self) -> None:
        self._holders: dict[int, Consumer] = {}
        self._entries: dict[int, int] = {}
        self._blocked: dict[int, int] = {}

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
        self._blocked.pop(hash_, None)
        return True

    def blocked(self, hash_: int) -> None:
        """An entry of the hash waits because another than its owner holds some."""
        self._blocked[hash_] = self._blocked.get(hash_, 0) + 1

    def held(self) -> Iterator[tuple[int, Consumer, int, int]]:
        """Of each hash who holds entries of it, how many, and how many had to wait for that."""
        blocked = self._blocked
        for hash_, holder in self._holders.items():
            yield hash_, holder, self._entries[hash_], blocked.get(hash_, 0)

    def clear(self) -> None:
        """Nobody holds anything."""
        self._holders.clear()
        self._entries.clear()
        self._blocked.clear()
