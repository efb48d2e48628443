"""Entries that a consumer holds and has not acknowledged."""

from collections.abc import Iterator, Sequence

from magnetar_ledger.position import Position


class PendingAcks:
    """Per ledger a dict from entry id to messages that are still unacked: ints only.

    A consumer may hold tens of thousands of entries, so nothing here is an object per entry.
    """

    __slots__ = ("_ledgers", "entries")

    def __init__(self) -> None:
        self._ledgers: dict[int, dict[int, int]] = {}
        self.entries = 0

    def add(self, ledger_id: int, first_entry_id: int, counts: Sequence[int]) -> None:
        """The consumer was sent entries that follow on, each with so many unacked messages."""
        entries = self._ledgers.get(ledger_id)
        if entries is None:
            entries = self._ledgers[ledger_id] = {}
        before = len(entries)
        entries.update(enumerate(counts, first_entry_id))
        assert len(entries) == before + len(counts), "an entry is sent again only after a requeue"
        self.entries += len(counts)

    def __contains__(self, position: object) -> bool:
        assert isinstance(position, tuple)
        ledger_id, entry_id = position
        entries = self._ledgers.get(ledger_id)
        return entries is not None and entry_id in entries

    def held_of(self, ledger_id: int, entry_id: int) -> int:
        """How many messages of an entry are unacked; 0 if the consumer does not hold it."""
        entries = self._ledgers.get(ledger_id)
        return 0 if entries is None else entries.get(entry_id, 0)

    def reduce_to(self, ledger_id: int, entry_id: int, remaining: int) -> int:
        """Some messages of an entry were acked, all of them if `remaining` is 0.

        Returns:
            How many messages are unacked no more; 0 if the consumer does not hold the entry.
        """
        entries = self._ledgers.get(ledger_id)
        if entries is None or entry_id not in entries:
            return 0
        before = entries[entry_id]
        if remaining > 0:
            entries[entry_id] = min(before, remaining)
            return max(before - remaining, 0)
        del entries[entry_id]
        self.entries -= 1
        if not entries:
            del self._ledgers[ledger_id]
        return before

    def __iter__(self) -> Iterator[Position]:
        for ledger_id, entries in self._ledgers.items():
            for entry_id in entries:
                yield Position(ledger_id, entry_id)

    def clear(self) -> None:
        """The consumer holds nothing any more."""
        self._ledgers.clear()
        self.entries = 0
