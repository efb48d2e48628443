"""Flush: a half of the write cache becomes blocks in an entry log and rows in the index.

The order is what makes it safe. The journals' marks are taken in the same step as the cache swap,
so everything before them is in this half or in the index already. Blocks are synced before the rows
that point to them are committed, and marks, rows and ledger records are one commit. Only then do
the half and the journal files behind the marks go.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from magnetar_runtime.clock import Clock
from magnetar_runtime.disk import Worker
from magnetar_runtime.slices import Slices

from magnetar_storage.blocks import RowChanges, blocks_of
from magnetar_storage.catalog import Catalog
from magnetar_storage.counters import BookieCounters
from magnetar_storage.entry_log import EntryLogWriter
from magnetar_storage.entry_log_format import encode_block
from magnetar_storage.errors import StorageError
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.ledger_records import LedgerRecords
from magnetar_storage.location_index import IndexBatch, Row
from magnetar_storage.pieces import Pieces
from magnetar_storage.sliced import sorted_in_slices
from magnetar_storage.write_cache import CacheHalf, LedgerEntries, WriteCache

_log = logging.getLogger(__name__)

_FREE_ENTRIES: Final = 1000


class Flusher:
    """Flushes when asked to, and when entries have been in the journal only for long enough."""

    def __init__(
        self,
        *,
        cache: WriteCache,
        records: LedgerRecords,
        catalog: Catalog,
        writer: EntryLogWriter,
        worker: Worker,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        counters: BookieCounters,
        marks: Callable[[], Mapping[int, JournalMark]],
        begun: Callable[[], None],
        flushed: Callable[[Mapping[int, JournalMark]], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Args:
        marks: the journals' last synced places, asked for in the step of the cache swap.
        begun: the active half was swapped for an empty one.
        flushed: a flush ended; everything before these marks is in the index.
        failed: the disk failed; there will be no other flush.
        """
        self.marks = marks
        self._cache = cache
        self._records = records
        self._catalog = catalog
        self._writer = writer
        self._worker = worker
        self._clock = clock
        self._loop = loop
        self._counters = counters
        self._begun = begun
        self._flushed = flushed
        self._failed = failed
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    @property
    def busy(self) -> bool:
        """A flush is wanted or under way."""
        return not self._idle.is_set()

    @property
    def requested(self) -> bool:
        """A flush is wanted that has not begun."""
        return self._wanted.is_set()

    def request(self) -> None:
        """Flush soon, behind the one that is under way; nothing new if one is wanted already.

        After `stop` there is no other.
        """
        if not self._over:
            self._idle.clear()
            self._wanted.set()

    async def idle(self) -> None:
        """Wait until no flush is wanted or under way."""
        await self._idle.wait()

    def flush_every(self, interval_ms: int) -> None:
        """Ask for a flush now and then, if there is something to flush."""
        if self._over:
            return
        self._timer = self._loop.call_later(interval_ms / 1000, self._tick, interval_ms)

    def stop(self) -> None:
        """Begin no other flush: the disk failed, or all is flushed."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()

    async def run(self) -> None:
        """The task of the flusher; ends only when the disk fails or it is cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self._over:
                self._idle.set()
                return
            try:
                await self.flush()
            except Exception as error:  # noqa: BLE001 - a bug ends the engine as a disk does
                # The half stays for reads. Nobody may write to this directory again. Also when it
                # is a bug: with nobody to flush, adds would be taken until memory is full.
                bug = None if isinstance(error, OSError | StorageError) else error
                _log.critical("flush failed, no more entries: %s", error, exc_info=bug)
                self.stop()
                self._failed(error)
                self._idle.set()
                return
            if not self._wanted.is_set():
                self._idle.set()

    async def flush(self) -> None:
        """Flush what is in the write cache now, to the end.

        Raises:
            OSError, StorageError: the disk failed.
        """
        async with self._catalog.lock:
            begun_ns = self._clock.monotonic_ns()
            # One step, no await: nothing becomes synced between the marks and the swap.
            marks = self.marks()
            half = self._cache.swap()
            dirty = self._records.take_dirty()
            self._begun()
            await self._flush(half, dirty, marks)
            self._cache.drop_flushed()
            self._counters.flushes += 1
            took_ns = self._clock.monotonic_ns() - begun_ns
            self._counters.flush_ns_longest = max(self._counters.flush_ns_longest, took_ns)
        self._flushed(marks)
        await self._release(half)

    async def _release(self, half: CacheHalf) -> None:
        """Free what was flushed, in slices: it may be a hundred thousand objects."""
        slices = Slices(self._clock)
        while half.ledgers:
            _, entries = half.ledgers.popitem()
            for parts in (entries.headers, entries.payloads):
                ids = list(parts)
                for start in range(0, len(ids), _FREE_ENTRIES):
                    deque(map(parts.pop, ids[start : start + _FREE_ENTRIES]), maxlen=0)
                    await slices.breathe()

    async def _flush(
        self, half: CacheHalf, dirty: set[int], marks: Mapping[int, JournalMark]
    ) -> None:
        slices = Slices(self._clock)
        pieces = Pieces(self._writer, self._worker, self._counters)
        added: list[Row] = []
        removed: list[Row] = []
        for ledger_id in await sorted_in_slices(half.ledgers, slices):
            entries = half.ledgers[ledger_id]
            changes = self._changes(ledger_id, entries)
            ids = iter(entries.headers)
            if not entries.ascending:
                ids = await sorted_in_slices(entries.headers, slices)
            for some, lengths, parts in blocks_of(entries, ids):
                row = pieces.add(ledger_id, some, encode_block(ledger_id, some, lengths, parts))
                changes.add(row, some)
                if pieces.full:
                    await pieces.write()  # often without a wait
                await slices.breathe()
            some_added, some_removed = changes.result()
            added += some_added
            removed += some_removed
        await pieces.finish()
        batch = IndexBatch(marks=marks)
        batch.record_puts = await self._records_of(half, dirty, slices)
        await self._catalog.commit(batch, added, removed, slices)

    async def _records_of(
        self, half: CacheHalf, dirty: set[int], slices: Slices
    ) -> list[tuple[int, bytes]]:
        """As they are in the index from now on."""
        rows: list[tuple[int, bytes]] = []
        for ledger_id, entries in half.ledgers.items():
            record = self._records[ledger_id]
            record.indexed_last = max(record.indexed_last, entries.last_entry)
            rows.append((ledger_id, record.encode()))
            await slices.breathe()
        for ledger_id in dirty:
            if ledger_id not in half.ledgers:
                rows.append((ledger_id, self._records[ledger_id].encode()))
            await slices.breathe()
        return rows

    def _changes(self, ledger_id: int, entries: LedgerEntries) -> RowChanges:
        record = self._records[ledger_id]
        if entries.lowest_entry > record.indexed_last:
            return RowChanges([])
        between = self._catalog.index.between
        return RowChanges(between(ledger_id, entries.lowest_entry, entries.last_entry))

    def _tick(self, interval_ms: int) -> None:
        if self._cache.active.ledgers or self._records.dirty:
            self.request()
        self.flush_every(interval_ms)
