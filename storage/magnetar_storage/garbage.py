"""Deleting ledgers, and finding out which ones: those that metadata no longer has."""

import logging
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Protocol

from magnetar_runtime.clock import Clock
from magnetar_runtime.disk import Worker
from magnetar_runtime.slices import Slices

from magnetar_storage.catalog import Catalog
from magnetar_storage.counters import BookieCounters
from magnetar_storage.entry_log import EntryLogFiles, EntryLogReaders, EntryLogWriter
from magnetar_storage.ledger_records import LedgerRecords
from magnetar_storage.location_index import IndexBatch, Row, row_key
from magnetar_storage.write_cache import WriteCache

_log = logging.getLogger(__name__)
_MAX_KEY = (1 << 64) - 1
_STEP_ROWS = 256
_STEP_LEDGERS = 500


class LedgerListing(Protocol):
    """What the metadata store knows; the ledger registry is one."""

    async def sync(self) -> None:
        """Wait until reads see all that others wrote before; raises if they may not."""

    async def list_ids(self) -> Collection[int]:
        """All ledger ids; raises if the list may not be whole."""

    async def read(self, ledger_id: int) -> object | None:
        """A ledger's metadata, or None if there is certainly none."""


async def doomed(local: Sequence[int], listing: LedgerListing, slices: Slices) -> list[int]:
    """Those of some ledgers that metadata does not have.

    1. The server of ZooKeeper that we ask is cut off from its leader, and answers reads for some
    seconds more. 2. A client makes a ledger through another one, and adds to it here. 3. Our server
    neither lists nor reads that ledger: without the sync we took it for deleted.

    A listing can have gaps, so each missing ledger is asked for by itself before it is deleted. An
    error of sync or listing ends the collection before anything is deleted.

    Args:
        local: taken before the sync is asked for: a ledger that is created meanwhile has its
            metadata before its first entry, so it is in neither or in the list.
    """
    await listing.sync()
    listed = set(await listing.list_ids())
    slices.begin()
    found = []
    for start in range(0, len(local), _STEP_LEDGERS):
        found += [
            ledger_id
            for ledger_id in local[start : start + _STEP_LEDGERS]
            if ledger_id not in listed and await listing.read(ledger_id) is None
        ]
        await slices.breathe()
    return found


class GarbageCollector:
    """Removes ledgers from an engine, and the entry logs that nothing points to any more."""

    def __init__(
        self,
        *,
        records: LedgerRecords,
        cache: WriteCache,
        catalog: Catalog,
        files: EntryLogFiles,
        writer: EntryLogWriter,
        readers: EntryLogReaders,
        worker: Worker,
        clock: Clock,
        counters: BookieCounters,
    ) -> None:
        self._records = records
        self._cache = cache
        self._catalog = catalog
        self._files = files
        self._writer = writer
        self._readers = readers
        self._worker = worker
        self._clock = clock
        self._counters = counters

    async def delete_ledgers(self, ledger_ids: Iterable[int]) -> None:
        """Forget ledgers with all their entries. Flushes go on meanwhile.

        Raises:
            OSError, IndexFailedError: the disk failed.
        """
        async with self._catalog.lock:
            slices = Slices(self._clock)
            gone: list[int] = []
            for ledger_id in set(ledger_ids):
                if self._records.pop(ledger_id, None) is not None:
                    self._records.dirty.discard(ledger_id)
                    self._cache.forget(ledger_id)
                    gone.append(ledger_id)
                    await slices.breathe()
            # Records first: rows without one are known at the next start to be left over.
            await self._catalog.commit(IndexBatch(record_deletes=gone))
        await self.delete_rows(gone)
        self._counters.ledgers_deleted += len(gone)
        await self.delete_dead_logs()

    async def delete_rows(self, ledger_ids: Iterable[int]) -> None:
        """Delete what is left of ledgers that have no record any more.

        The lock is given back after each commit: a ledger may have millions of rows, and a flush
        that waited for all of them would let the write cache fill up.
        """
        left = deque(ledger_ids)
        slices = Slices(self._clock)
        while left:
            async with self._catalog.lock:
                await self._delete_some_rows(left, slices)

    async def _delete_some_rows(self, left: "deque[int]", slices: Slices) -> None:
        """One commit's worth; ledgers without rows leave the front of `left`."""
        waiting: list[Row] = []
        after = _before(left[0])
        while left and len(waiting) < _STEP_ROWS:
            rows = self._rows_behind(left[0], after)
            if rows:
                waiting += rows
                after = row_key(left[0], rows[-1].first_entry)
            else:
                left.popleft()
                after = _before(left[0]) if left else b""
            await slices.breathe()
        if waiting:
            await self._catalog.commit(IndexBatch(), (), waiting)

    def _rows_behind(self, ledger_id: int, after: bytes) -> list[Row]:
        """The ledger's next rows: as many as some ids can have."""
        following = self._catalog.index.scan(after, 1)
        if not following or following[0].ledger_id != ledger_id:
            return []
        first = following[0].first_entry
        return self._catalog.index.between(ledger_id, first, first + _STEP_ROWS - 1)

    async def delete_dead_logs(self) -> None:
        """Remove the logs that no row points to, as a flush leaves them that did not end."""
        async with self._catalog.lock:
            await self._delete_dead_logs()

    async def _delete_dead_logs(self) -> None:
        log_ids = await self._worker.run(self._files.log_ids)
        older = [log_id for log_id in log_ids if log_id < self._writer.log_id]
        dead = self._catalog.dead_logs(older)
        if not dead:
            return
        await self._readers.forget(dead)
        await self._worker.run(partial(self._files.delete, dead))
        self._counters.entry_logs_deleted += len(dead)
        _log.info("deleted %d entry logs that nothing pointed to", len(dead))


def _before(ledger_id: int) -> bytes:
    """The key behind which a ledger's rows begin."""
    return row_key(ledger_id - 1, _MAX_KEY) if ledger_id else b""
