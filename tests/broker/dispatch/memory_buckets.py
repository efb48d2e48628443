"""A cursor's buckets in memory, that fail when they are told to."""

import asyncio
from collections.abc import Collection, Sequence

from magnetar_ledger.errors import LedgerError, NoSuchLedgerError


class MemoryReader:
    """`LedgerReader` of one bucket."""

    def __init__(self, owner: "MemoryBuckets", ledger_id: int) -> None:
        self._owner = owner
        self._ledger_id = ledger_id

    @property
    def last_add_confirmed(self) -> int:
        return len(self._owner.ledgers[self._ledger_id]) - 1

    async def read(self, entry_id: int, max_entries: int, max_bytes: int) -> list[bytes]:
        self._owner.fail()
        if self._ledger_id not in self._owner.ledgers:
            raise NoSuchLedgerError(f"ledger {self._ledger_id}")
        return [self._owner.ledgers[self._ledger_id][entry_id]]


class MemoryBuckets:
    """`magnetar_ledger.managed.cursor_buckets.CursorBuckets` without a cursor.

    Attributes:
        ledgers: Their entries.
        failures: So many calls fail, each for now.
    """

    note = ""
    leftovers = False

    def __init__(self) -> None:
        self.kept: tuple[int, ...] = ()
        self.ledgers: dict[int, list[bytes]] = {}
        self.failures = 0
        self.lock = asyncio.Lock()  # one change after the other
        self._next_id = 100

    async def write(self, entries: Sequence[bytes]) -> int:
        self.fail()
        self._next_id += 1
        self.ledgers[self._next_id] = list(entries)
        return self._next_id

    async def keep(self, kept: Collection[int], note: str) -> None:
        async with self.lock:
            self.fail()
            self.kept = tuple(kept)
            self.ledgers = {each: self.ledgers[each] for each in kept if each in self.ledgers}

    async def open(self, ledger_id: int) -> MemoryReader:
        self.fail()
        if ledger_id not in self.ledgers:
            raise NoSuchLedgerError(f"ledger {ledger_id}")
        return MemoryReader(self, ledger_id)

    async def collect(self) -> None:
        self.fail()

    def fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise LedgerError("planted")
