"""What of a ledger lies whole in the entry logs: each of its blocks is read and checked."""

import asyncio
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Final

from magnetar_runtime.clock import Clock
from magnetar_runtime.slices import Slices

from magnetar_storage.counters import BookieCounters
from magnetar_storage.entry_log_format import Block
from magnetar_storage.errors import EntryLogFormatError
from magnetar_storage.ledger_engine import LedgerEngine
from magnetar_storage.location_index import Row, row_key, runs
from magnetar_storage.scrub.id_runs import GrowingRuns

_MAX_ENTRY: Final = (1 << 64) - 1
_NO_PLACE: Final = (-1, -1)
MAX_DAMAGED_ROWS: Final = 1024
"""Of one ledger at once; the others are found when these are repaired."""


@dataclass(slots=True)
class Findings:
    """What there is of a ledger.

    Attributes:
        present: ids of entries in blocks that are whole.
        damaged: rows whose blocks are not, ascending.
    """

    present: GrowingRuns = field(default_factory=GrowingRuns)
    damaged: list[Row] = field(default_factory=list)


class BlockCheck:
    """Reads from the disk, past all caches, at a bounded rate."""

    def __init__(self, rate_bytes_per_s: int, clock: Clock, counters: BookieCounters) -> None:
        self._rate_bytes_per_s = rate_bytes_per_s
        self._clock = clock
        self._counters = counters
        self._place = _NO_PLACE
        self._block: Block | None = None

    async def examine(self, engine: LedgerEngine, ledger_id: int) -> Findings:
        """Read all blocks of a ledger."""
        findings, slices = Findings(), Slices(self._clock)
        self._place = _NO_PLACE
        after = row_key(ledger_id - 1, _MAX_ENTRY) if ledger_id else b""
        while len(findings.damaged) < MAX_DAMAGED_ROWS:
            read_bytes = self._counters.scrubbed_bytes
            row = await self._check_next(engine, ledger_id, after, findings)
            if row is None:
                break
            after = row_key(ledger_id, row.first_entry)
            if read_bytes := self._counters.scrubbed_bytes - read_bytes:
                await asyncio.sleep(read_bytes / self._rate_bytes_per_s)
                slices.begin()
            else:
                await slices.breathe()
        self._block = None
        return findings

    async def _check_next(
        self, engine: LedgerEngine, ledger_id: int, after: bytes, findings: Findings
    ) -> Row | None:
        """Check the block of the ledger's row behind a key; None if there is no other row."""
        catalog = engine.parts.catalog
        async with catalog.lock:  # the block is not moved, nor its log deleted, while it is read
            row = next(iter(catalog.index.scan(after, 1)), None)
            if row is None or row.ledger_id != ledger_id:
                return None
            if (row.log_id, row.offset) != self._place:  # neighbours may share one
                self._place = (row.log_id, row.offset)
                self._block = await self._read(engine, row)
        if self._block is None:
            findings.damaged.append(row)
        else:
            self._note(findings, row, self._block)
        return row

    async def _read(self, engine: LedgerEngine, row: Row) -> Block | None:
        """The block, if it is whole."""
        self._counters.scrubbed_bytes += row.length
        try:
            block = Block(await engine.parts.readers.load(row.log_id, row.offset, row.length))
        except (EntryLogFormatError, OSError):
            return None
        return block if block.ledger_id == row.ledger_id else None

    def _note(self, findings: Findings, row: Row, block: Block) -> None:
        ids = block.entry_ids()
        ids = ids[bisect_left(ids, row.first_entry) : bisect_right(ids, row.last_entry)]
        self._counters.scrubbed_entries += len(ids)
        for first, last in runs(ids) if ids else ():
            findings.present.add(first, last)
