"""Entries that are in the journal but not yet in an entry log. Pure.

Two halves: one takes adds while the other is being flushed. An entry is two byte strings in two
dicts of its ledger; neither dict is looked at by the garbage collector (integers and bytes only),
so a million entries cost it nothing.
"""

from collections.abc import Sequence
from typing import Final

ENTRY_OVERHEAD_BYTES: Final = 200
"""What one entry costs beside its bytes: two byte objects, its id, a slot in two dicts."""


class LedgerEntries:
    """Entries of one ledger in one half."""

    __slots__ = ("ascending", "headers", "last_entry", "lowest_entry", "payloads")

    def __init__(self, entry_id: int) -> None:
        self.headers: dict[int, bytes] = {}
        self.payloads: dict[int, bytes] = {}
        self.lowest_entry = entry_id
        self.last_entry = entry_id - 1
        self.ascending = True

    def note_id(self, entry_id: int) -> None:
        """This id was put."""
        if entry_id > self.last_entry:
            self.last_entry = entry_id
        else:
            self.ascending = False
            if entry_id < self.lowest_entry:
                self.lowest_entry = entry_id

    def note_ids(self, entry_ids: Sequence[int]) -> None:
        """These ids were put, in this order."""
        if isinstance(entry_ids, range) and entry_ids.step == 1 and entry_ids[0] > self.last_entry:
            self.last_entry = entry_ids[-1]
            return
        for entry_id in entry_ids:
            self.note_id(entry_id)

    def entry_ids(self) -> list[int]:
        """Ids in order."""
        return list(self.headers) if self.ascending else sorted(self.headers)


class CacheHalf:
    """All entries of one half. `size` counts re-added entries twice: an upper bound."""

    __slots__ = ("ledgers", "size")

    def __init__(self) -> None:
        self.ledgers: dict[int, LedgerEntries] = {}
        self.size = 0

    def last_entry(self, ledger_id: int) -> int:
        """The highest id of a ledger that has entries here."""
        return self.ledgers[ledger_id].last_entry


class WriteCache:
    """Both halves. `flushing` is empty while nothing is being flushed."""

    __slots__ = ("active", "flushing")

    def __init__(self) -> None:
        self.active = CacheHalf()
        self.flushing = CacheHalf()

    def put(self, ledger_id: int, entry_id: int, header: bytes, payload: bytes) -> int:
        """Take an entry, in place of an earlier one with this id; returns its size in bytes."""
        entries = self._entries_of(ledger_id, entry_id)
        entries.headers[entry_id] = header
        entries.payloads[entry_id] = payload
        entries.note_id(entry_id)
        size = len(header) + len(payload) + ENTRY_OVERHEAD_BYTES
        self.active.size += size
        return size

    def put_all(
        self,
        ledger_id: int,
        entry_ids: Sequence[int],
        headers: Sequence[bytes],
        payloads: Sequence[bytes],
    ) -> int:
        """Take entries of one ledger, each in place of an earlier one; returns their size."""
        if len(entry_ids) == 1:  # a lone one, as a waiting producer sends, at a sixth of the cost
            (header,), (payload,) = headers, payloads
            return self.put(ledger_id, entry_ids[0], header, payload)
        entries = self._entries_of(ledger_id, entry_ids[0])
        entries.headers.update(zip(entry_ids, headers, strict=True))
        entries.payloads.update(zip(entry_ids, payloads, strict=True))
        entries.note_ids(entry_ids)
        size = (
            sum(map(len, headers)) + sum(map(len, payloads)) + len(entry_ids) * ENTRY_OVERHEAD_BYTES
        )
        self.active.size += size
        return size

    def _entries_of(self, ledger_id: int, first_entry: int) -> LedgerEntries:
        entries = self.active.ledgers.get(ledger_id)
        if entries is None:
            entries = self.active.ledgers[ledger_id] = LedgerEntries(first_entry)
        return entries

    def get(self, ledger_id: int, entry_id: int) -> bytes | None:
        """The newest entry with this id, header and payload joined."""
        for half in (self.active, self.flushing):
            entries = half.ledgers.get(ledger_id)
            if entries is not None and (header := entries.headers.get(entry_id)) is not None:
                return header + entries.payloads[entry_id]
        return None

    def has(self, ledger_id: int, entry_id: int) -> bool:
        """Whether there is an entry with this id."""
        return any(
            entries is not None and entry_id in entries.headers
            for half in (self.active, self.flushing)
            for entries in (half.ledgers.get(ledger_id),)
        )

    def next_cached(self, ledger_id: int, entry_id: int) -> int | None:
        """An id at or above `entry_id` below which no other one of the ledger is cached.

        It is `entry_id` itself where a half has both lower and higher ids, whether or not this one
        is there: the caller then goes on one entry at a time. None if nothing is cached from here.
        """
        bound: int | None = None
        for half in (self.active, self.flushing):
            entries = half.ledgers.get(ledger_id)
            if entries is None or entries.last_entry < entry_id:
                continue
            candidate = max(entries.lowest_entry, entry_id)
            bound = candidate if bound is None else min(bound, candidate)
        return bound

    def swap(self) -> CacheHalf:
        """Begin a flush: adds go to a new half from now on; returns the one to flush."""
        assert not self.flushing.ledgers, "one flush at a time"
        self.flushing, self.active = self.active, CacheHalf()
        return self.flushing

    def drop_flushed(self) -> None:
        """End a flush: its entries are in an entry log and in the index."""
        self.flushing = CacheHalf()

    def forget(self, ledger_id: int) -> None:
        """Drop a deleted ledger's entries. Their bytes stay counted until the half is flushed."""
        self.active.ledgers.pop(ledger_id, None)
