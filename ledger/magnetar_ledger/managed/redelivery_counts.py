"""How often entries were given back unacknowledged."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from magnetar_ledger.position import EARLIEST, Position

PIECE_ENTRIES = 1_000
"""Entries per piece of a snapshot: a piece is encoded in well under a millisecond."""

Piece = tuple[int, Sequence[int], Sequence[int]]
"""A ledger, entries of it, and the count of each."""


class RedeliveryCounts:
    """Counts per entry. They go with the entry's acknowledgement or with a seek."""

    __slots__ = ("_ledgers",)

    def __init__(self) -> None:
        self._ledgers: dict[int, dict[int, int]] = {}

    def increment(self, ledger_id: int, entry_id: int) -> None:
        entries = self._ledgers.setdefault(ledger_id, {})
        entries[entry_id] = entries.get(entry_id, 0) + 1

    def of(self, ledger_id: int, entry_id: int) -> int:
        entries = self._ledgers.get(ledger_id)
        return entries.get(entry_id, 0) if entries is not None else 0

    @property
    def last(self) -> Position:
        """The last entry that has a count; `EARLIEST` if none has."""
        if not self._ledgers:
            return EARLIEST
        ledger_id = max(self._ledgers)
        return Position(ledger_id, max(self._ledgers[ledger_id]))

    def forget(self, ledger_id: int, entry_id: int) -> None:
        """The entry was acked."""
        entries = self._ledgers.get(ledger_id)
        if entries is not None and entries.pop(entry_id, None) is not None and not entries:
            del self._ledgers[ledger_id]

    def forget_before(self, ledger_id: int) -> None:
        """All entries of older ledgers were acked."""
        for old in [each for each in self._ledgers if each < ledger_id]:
            del self._ledgers[old]

    def clear(self) -> None:
        self._ledgers.clear()

    def __len__(self) -> int:
        return sum(map(len, self._ledgers.values()))

    def pieces(self) -> Iterator[Piece]:
        """All counts, some at a time. Counts may change while this is walked."""
        for ledger_id in sorted(self._ledgers):
            entries = self._ledgers.get(ledger_id, {})
            entry_ids = iter(tuple(entries))
            while some := [each for each in islice(entry_ids, PIECE_ENTRIES) if each in entries]:
                yield ledger_id, some, [entries[each] for each in some]

    def restore(self, pieces: Iterable[Piece]) -> None:
        """Put in what `pieces` gave."""
        for ledger_id, entry_ids, counts in pieces:
            if entry_ids:
                entries = self._ledgers.setdefault(ledger_id, {})
                entries.update(zip(entry_ids, counts, strict=False))
