"""Flush: a half of the write cache becomes blocks in an entry log and rows in the index.

The order is what makes it safe. The journals' marks are taken in the same step as the cache swap,
so everything before them is in this half or in the index already. Blocks are synced before the rows
that point to them are committed, and marks, rows and ledger records are one commit. Only then do
the half and the journal files behind the marks go.
"""

import asyncio
import logging
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final

from magnetar_runtime.clock import Clock
from magnetar_runtime.disk import Worker
from magnetar_runtime.slices import Slices

from magnetar_storage.catalog import Catalog
from magnetar_storage.counters import BookieCounters
from magnetar_storage.entry_log import EntryLogWriter, Piece
from magnetar_storage.entry_log_format import (
    MAX_BLOCK_ENTRIES,
    cut_blocks,
    encode_block,
    entry_lengths,
)
from magnetar_storage.errors import StorageError
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.ledger_records import LedgerRecords
from magnetar_storage.location_index import IndexBatch, Row, overlay
from magnetar_storage.write_cache import CacheHalf, LedgerEntries, WriteCache

_log = logging.getLogger(__name__)

PIECE_BYTES: Final = 1 << 20
_FREE_ENTRIES: Final = 1000
_PIECES_IN_FLIGHT: Final = 3
"""Written and synced at once. The journal's syncs wait behind it: the longest was 9 to 14 ms with
1 MiB, 27 to 56 ms with 4 MiB (1 KB entries, window 100, a flush under way)."""


class RowChanges:
    """The rows of one ledger in one flush: what goes, what comes."""

    def __init__(self, older: list[Row]) -> None:
        """Args: all rows that overlap what will be added, ascending."""
        self._older = older
        self._rows = list(older)

    def add(self, newer: Row, entry_ids: list[int]) -> None:
        """A new block; its ids are higher than those of the blocks added before."""
        rows = self._rows
        begin = bisect_left(rows, newer.first_entry, key=_last_entry)
        end = begin
        while end < len(rows) and rows[end].first_entry <= newer.last_entry:
            end += 1
        replaced = rows[begin:end]
        rows[begin:end] = overlay(replaced, newer, entry_ids) if replaced else [newer]

    def result(self) -> tuple[list[Row], list[Row]]:
        """Rows to put and rows to delete."""
        before, after = set(self._older), set(self._rows)
        added = [row for row in self._rows if row not in before]
        return added, [row for row in self._older if row not in after]


def _last_entry(row: Row) -> int:
    return row.last_entry


def blocks_of(entries: LedgerEntries) -> Iterator[tuple[list[int], list[int], list[bytes]]]:
    """Ids, entry lengths and parts of each block of a ledger, in order."""
    ids = entries.entry_ids()
    start = 0
    while start < len(ids):
        some = ids[start : start + MAX_BLOCK_ENTRIES]
        parts = [b""] * (2 * len(some))
        parts[::2] = map(entries.headers.__getitem__, some)
        parts[1::2] = map(entries.payloads.__getitem__, some)
        lengths = entry_lengths(parts)
        ends = cut_blocks(some, lengths)
        if len(ends) > 1 and start + len(some) < len(ids):
            # The rest would be a short block: it goes with what follows.
            ends.pop()
        begin = 0
        for end in ends:
            yield some[begin:end], lengths[begin:end], parts[2 * begin : 2 * end]
            begin = end
        start += begin


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

        After a failed one there is no other.
        """
        if not self._over:
            self._idle.clear()
            self._wanted.set()

    async def idle(self) -> None:
        """Wait until no flush is wanted or under way."""
        await self._idle.wait()

    def flush_every(self, interval_ms: int) -> None:
        """Ask for a flush now and then, if there is something to flush."""
        self._timer = self._loop.call_later(interval_ms / 1000, self._tick, interval_ms)

    def stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    async def run(self) -> None:
        """The task of the flusher; ends only when the disk fails or it is cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.flush()
            except Exception as error:  # noqa: BLE001 - a bug ends the engine as a disk does
                # The half stays for reads. Nobody may write to this directory again. Also when it
                # is a bug: with nobody to flush, adds would be taken until memory is full.
                bug = None if isinstance(error, OSError | StorageError) else error
                _log.critical("flush failed, no more entries: %s", error, exc_info=bug)
                self._over = True
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
        pieces = _Pieces(self._writer, self._worker, self._counters)
        added: list[Row] = []
        removed: list[Row] = []
        for ledger_id in sorted(half.ledgers):
            entries = half.ledgers[ledger_id]
            changes = self._changes(ledger_id, entries)
            for ids, lengths, parts in blocks_of(entries):
                row = pieces.add(ledger_id, ids, encode_block(ledger_id, ids, lengths, parts))
                changes.add(row, ids)
                if pieces.full:
                    await pieces.write()
                    slices.begin()
                await slices.breathe()
            some_added, some_removed = changes.result()
            added += some_added
            removed += some_removed
        await pieces.finish()
        batch = IndexBatch(marks=marks)
        for ledger_id in dirty.union(half.ledgers):
            batch.record_puts.append((ledger_id, self._indexed_record(ledger_id, half)))
            await slices.breathe()
        await self._catalog.commit(batch, added, removed)

    def _changes(self, ledger_id: int, entries: LedgerEntries) -> RowChanges:
        record = self._records[ledger_id]
        if entries.lowest_entry > record.indexed_last:
            return RowChanges([])
        between = self._catalog.index.between
        return RowChanges(between(ledger_id, entries.lowest_entry, entries.last_entry))

    def _indexed_record(self, ledger_id: int, half: CacheHalf) -> bytes:
        record = self._records[ledger_id]
        entries = half.ledgers.get(ledger_id)
        if entries is not None:
            record.indexed_last = max(record.indexed_last, entries.last_entry)
        return record.encode()

    def _tick(self, interval_ms: int) -> None:
        if self._cache.active.ledgers or self._records.dirty:
            self.request()
        self.flush_every(interval_ms)


class _Pieces:
    """Collects blocks and writes them a megabyte at a time.

    A few pieces are with the worker at once: on a busy loop it takes longer to hear of the end of
    one and to make the next than to write it, and the disk would stand still meanwhile.
    """

    def __init__(self, writer: EntryLogWriter, worker: Worker, counters: BookieCounters) -> None:
        self._writer = writer
        self._worker = worker
        self._counters = counters
        self._waiting: list[Piece] = []
        self._size = 0
        self._in_flight = 0
        self._error: BaseException | None = None
        self._landed = asyncio.Event()

    @property
    def full(self) -> bool:
        return self._size >= PIECE_BYTES

    def add(self, ledger_id: int, ids: list[int], parts: list[bytes]) -> Row:
        """Give a block its place; returns the row that points to it."""
        length = sum(map(len, parts))
        log_id, offset = self._writer.place(length)
        if not self._waiting or self._waiting[-1].log_id != log_id:
            self._waiting.append(Piece(log_id, offset))
        self._waiting[-1].parts += parts
        self._size += length
        self._counters.entry_log_bytes += length
        return Row(ledger_id, ids[0], ids[-1], log_id, offset, length)

    async def write(self) -> None:
        """Begin to make durable what was added."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        for piece in waiting:
            await self._until_at_most(_PIECES_IN_FLIGHT - 1)
            self._in_flight += 1
            self._worker.submit(partial(self._writer.write, piece), self._written)

    async def finish(self) -> None:
        """All that was added is durable; raises what went wrong with any of it."""
        await self.write()
        await self._until_at_most(0)

    async def _until_at_most(self, count: int) -> None:
        while self._in_flight > count and self._error is None:
            self._landed.clear()
            await self._landed.wait()
        if self._error is not None:
            raise self._error

    def _written(self, _result: object, error: BaseException | None) -> None:
        self._in_flight -= 1
        self._error = self._error or error
        self._landed.set()
