"""The bookie engine: one ledger directory, one journal directory, behind the bookie interface.

Decisions about a ledger are made in one step on the loop: fence and key are checked, the entry is
in the write cache and in the journal's queue before anything else can run. That is why an add that
was in flight when a fence came is either seen by the fencing read or refused.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Self

from magnetar_proto.bookie import FENCE, LAST_ENTRY, AddSink, ReadSink, Status
from magnetar_runtime.clock import Clock
from magnetar_runtime.directory_lock import lock_directory
from magnetar_runtime.disk import Disk
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.slices import Slices

from magnetar_storage.admission import Admission
from magnetar_storage.config import BookieConfig
from magnetar_storage.directories import Lock
from magnetar_storage.errors import IndexFailedError, OutOfUseError
from magnetar_storage.garbage import LedgerListing
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.ledger_access import LedgerAccess, plausible
from magnetar_storage.parts import BookieWorkers, EngineParts, Found, OpenIndex, find, release
from magnetar_storage.read_path import ReadRequest
from magnetar_storage.startup import start

_log = logging.getLogger(__name__)


class BookieEngine:
    """`magnetar_proto.bookie.Bookie` in this process.

    Attributes:
        bookie_id: made once, kept in the directories, no address.
        counters: plain integers, read at any time.
        failure: the error that took the engine out of use; None while it works.
    """

    def __init__(
        self,
        config: BookieConfig,
        found: Found,
        disk: Disk,
        workers: BookieWorkers,
        clock: Clock,
        rng: random.Random,
        loop: asyncio.AbstractEventLoop,
        on_failure: Callable[[BaseException], None] | None,
    ) -> None:
        """Use `open`."""
        self._config = config
        self._clock = clock
        self._loop = loop
        self._on_failure = on_failure
        self._parts = parts = EngineParts(self, config, found, disk, workers, clock, rng, loop)
        self.bookie_id = found.bookie_id
        self.counters = parts.counters
        self.failure: BaseException | None = None
        self._tasks = TaskScope()
        self._admission = Admission(config, loop, parts.counters)
        self._admission.set_state(Status.UNAVAILABLE)
        self._closing = False
        # What an add touches, one attribute away.
        self._records = parts.records
        self._cache = parts.cache
        self._journal = parts.journal
        self._reads = parts.reads
        self._access = LedgerAccess(parts.records, parts.journal, self._admission, parts.reads)
        self._cache_limit = config.half_cache_bytes
        self._queue_limit = config.journal_queue_bytes

    @classmethod
    async def open(
        cls,
        config: BookieConfig,
        disk: Disk,
        workers: BookieWorkers,
        clock: Clock,
        rng: random.Random,
        loop: asyncio.AbstractEventLoop,
        *,
        open_index: OpenIndex | None = None,
        lock: Callable[[str], Lock] = lock_directory,
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> Self:
        """Open the directories, or begin new ones, and replay the journal.

        Args:
            open_index: opens the location index at a path with its most bytes; LMDB if not given.
            lock: takes a directory's lock.
            on_failure: told once when the disk failed and the engine takes no more entries.

        Raises:
            DirectoryLockedError: another process has the directories.
            DirectoryError: the directories do not belong together.
            OSError, StorageError: the disk failed.
        """
        found = await find(config, disk, workers.storage, rng, open_index, lock)
        try:
            engine = cls(config, found, disk, workers, clock, rng, loop, on_failure)
            await engine._start(found)
        except BaseException:
            await release(found, workers.storage)
            raise
        return engine

    @property
    def uncertain(self) -> bool:
        """Entries may have been lost: nothing is called absent until replicas were asked."""
        return self._reads.uncertain

    @property
    def writable(self) -> bool:
        """See `magnetar_proto.bookie.Bookie`."""
        return self._admission.writable

    def when_writable(self, callback: Callable[[], None]) -> None:
        """See `magnetar_proto.bookie.Bookie`."""
        self._admission.when_writable(callback)

    def set_read_only(self, read_only: bool) -> None:
        """Refuse ordinary adds with READ_ONLY, or take them again; recovery still may add."""
        if self.failure is None and not self._closing:
            self._admission.set_state(Status.READ_ONLY if read_only else None)

    def add(
        self,
        ledger_id: int,
        entry_ids: Sequence[int],
        master_key: bytes,
        headers: Sequence[bytes],
        payloads: Sequence[bytes],
        flags: int,
        sink: AddSink,
    ) -> None:
        """See `magnetar_proto.bookie.Bookie`."""
        if not plausible(ledger_id, entry_ids, headers):
            self._admission.refuse(sink, entry_ids, Status.BAD_REQUEST)
            return
        record = self._records.get(ledger_id)
        if (
            record is None
            or record.fenced
            or record.master_key != master_key
            or self._admission.refusing is not None
        ):
            checked = self._access.admit(ledger_id, master_key, flags)
            if isinstance(checked, Status):
                self._admission.refuse(sink, entry_ids, checked)
                return
            record = checked
        size = self._cache.put_all(ledger_id, entry_ids, headers, payloads)
        record.last_entry = max(record.last_entry, self._cache.active.last_entry(ledger_id))
        self._journal.append(headers, payloads, size, sink, entry_ids)
        if (
            self._cache.active.size >= self._cache_limit
            or self._journal.waiting_bytes >= self._queue_limit
        ):
            self._measure()

    def read(
        self,
        ledger_id: int,
        first_entry_id: int,
        max_entries: int,
        max_bytes: int,
        flags: int,
        master_key: bytes,
        sink: ReadSink,
        context: int,
    ) -> None:
        """See `magnetar_proto.bookie.Bookie`."""
        request = ReadRequest(
            ledger_id, first_entry_id, max(1, max_entries), max_bytes, sink, context
        )
        if self._closing:
            self._reads.refuse(request, Status.UNAVAILABLE)
        elif ledger_id < 0 or first_entry_id < LAST_ENTRY:
            self._reads.refuse(request, Status.BAD_REQUEST)
        elif self._reads.pending + self._access.fencing >= self._config.max_pending_reads:
            self._reads.refuse(request, Status.TOO_MANY_REQUESTS)
        elif flags & FENCE and self.failure is not None:
            self._reads.refuse(request, Status.IO_ERROR)
        elif flags & FENCE:
            self._access.fence(request, master_key)
        else:
            self._reads.start(request)

    async def delete_ledgers(self, ledger_ids: Iterable[int]) -> None:
        """Forget ledgers with all their entries; dead entry logs go.

        Raises:
            OutOfUseError: the disk failed, now or before.
        """
        if self.failure is not None:
            raise OutOfUseError(str(self.failure)) from self.failure
        try:
            await self._parts.garbage.delete_ledgers(ledger_ids)
        except (OSError, IndexFailedError) as error:
            self._fail(error)
            raise OutOfUseError(str(error)) from error

    async def collect_garbage(self, listing: LedgerListing) -> int:
        """Delete the ledgers that metadata no longer has; returns how many.

        Raises:
            OutOfUseError: the disk failed, now or before.
            Exception: whatever the listing raises; nothing was deleted then.
        """
        doomed = await self._parts.garbage.doomed(listing)
        if doomed:
            await self.delete_ledgers(doomed)
        return len(doomed)

    async def flush(self) -> None:
        """Bring all that was added so far into entry logs and index.

        Raises:
            OutOfUseError: the disk failed, now or before.
        """
        await self._parts.flusher.idle()
        self._parts.flusher.request()
        await self._parts.flusher.idle()
        if self.failure is not None:
            raise OutOfUseError(str(self.failure)) from self.failure

    async def close(self) -> None:
        """Flush, mark the clean end, close all files and give the directories free."""
        if self._closing:
            return
        self._closing = True
        self._admission.set_state(Status.UNAVAILABLE)
        await self._journal.drain()
        await self._reads.drain()
        if self.failure is None:
            self._parts.flusher.request()
        await self._parts.close(self._tasks)

    def journal_settled(self) -> None:
        """From the journal: fewer bytes wait."""
        if not self._admission.writable:
            self._measure()

    def journal_failed(self, error: BaseException) -> None:
        """From the journal: nothing more will become durable."""
        self._fail(error)

    def flush_begun(self) -> None:
        """From the flusher: the active half is empty again."""
        self._measure()

    def flushed(self, mark: JournalMark) -> None:
        """From the flusher: everything before this mark is in the index."""
        self._journal.retire_before(mark)
        self._measure()

    def flush_failed(self, error: BaseException) -> None:
        """From the flusher: the directory takes no more writes."""
        self._fail(error)

    async def _start(self, found: Found) -> None:
        """Replay, then begin a new journal file and take adds."""
        flusher = self._parts.flusher
        self._tasks.spawn(flusher.run(), name="flusher")
        try:
            await start(self._parts, found, Slices(self._clock), self._make_room)
        except BaseException:
            await self._tasks.close()
            raise
        flusher.flush_every(self._config.flush_interval_ms)
        self._admission.set_state(None)
        self._measure()

    async def _make_room(self) -> None:
        """During replay: flush beside it, and wait when both halves are full."""
        if self._cache.active.size < self._cache_limit:
            return
        flusher = self._parts.flusher
        await flusher.idle()
        if self.failure is not None:
            raise OutOfUseError("the journal cannot be replayed") from self.failure
        flusher.request()

    def _measure(self) -> None:
        """Look at the load: ask for a flush, stop or release producers."""
        active_bytes = self._cache.active.size
        flushing = bool(self._cache.flushing.ledgers)
        if active_bytes >= self._cache_limit and not self._parts.flusher.requested:
            self._parts.flusher.request()
        self._admission.measure(active_bytes, flushing, self._journal.waiting_bytes)

    def _fail(self, error: BaseException) -> None:
        """The first error of the disk is the last: the same pages are never tried again."""
        if self.failure is not None:
            return
        self.failure = error
        _log.critical("the bookie takes no more entries: %s", error)
        self._admission.set_state(Status.IO_ERROR)
        self._journal.fail(error)
        if self._on_failure is not None:
            self._loop.call_soon(self._on_failure, error)
