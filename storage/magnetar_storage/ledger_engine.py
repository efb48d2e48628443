"""The engine of one ledger directory: its ledgers, write cache, entry logs, index.

Decisions about a ledger are made in one step on the loop: fence and key are checked, the entry is
in the write cache and in the journal's queue before anything else can run. That is why an add that
was in flight when a fence came is either seen by the fencing read or refused.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from magnetar_proto.bookie import FENCE, LAST_ENTRY, AddSink, Status
from magnetar_runtime.clock import Clock
from magnetar_runtime.disk import Disk
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.slices import Slices

from magnetar_storage.admission import Admission
from magnetar_storage.config import BookieConfig
from magnetar_storage.counters import BookieCounters
from magnetar_storage.disk_watch import Room
from magnetar_storage.errors import IndexFailedError, OutOfUseError
from magnetar_storage.journal_format import FILE_HEADER_BYTES, FIRST_MARK, JournalMark
from magnetar_storage.journals import Journals
from magnetar_storage.ledger_access import LedgerAccess, plausible
from magnetar_storage.location_index import IndexBatch
from magnetar_storage.parts import BookieWorkers, EngineParts, FoundDirectory
from magnetar_storage.read_path import ReadRequest

_log = logging.getLogger(__name__)


class LedgerEngineOwner(Protocol):
    """The bookie."""

    def engine_failed(self, engine: "LedgerEngine", error: BaseException) -> None:
        """The directory takes no more writes. Told once."""

    def marks_moved(self) -> None:
        """An engine's index has more of the journals."""


class LedgerEngine:
    """One ledger directory.

    Attributes:
        path, number: of the directory; the number stands in it.
        marks: what its index has of each journal.
        failure: the error that took it out of use; None while it works.
    """

    def __init__(
        self,
        owner: LedgerEngineOwner,
        config: BookieConfig,
        found: FoundDirectory,
        place: int,
        journals: Journals,
        disk: Disk,
        workers: BookieWorkers,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        counters: BookieCounters,
    ) -> None:
        self._owner = owner
        self._config = config
        self._clock = clock
        self._journals = journals
        self.path, self.number = found.path, found.number
        self.marks: Mapping[int, JournalMark] = found.marks
        self.parts = parts = EngineParts(
            self, config, found, journals, disk,
            workers.of_directory(place), workers.readers, clock, loop, counters,
        )  # fmt: skip
        self.failure: BaseException | None = None
        self.admission = Admission(config, loop, counters)
        self.admission.set_state(Status.UNAVAILABLE)
        self._closing = False
        self._deleted: set[int] = set()
        # What an add touches, one attribute away.
        self.records = parts.records
        self.cache = parts.cache
        self._journal_list = journals.all
        self._reads = parts.reads
        self._access = LedgerAccess(
            found.number, parts.records, journals, self.admission, parts.reads
        )
        self._cache_limit = config.half_cache_bytes
        self._queue_limit = config.journal_queue_bytes

    @property
    def uncertain(self) -> bool:
        """A ledger that is unknown here may have been lost."""
        return self._reads.unknown_checked < self._reads.damages

    @property
    def damages(self) -> int:
        """How often its index knows the journals were found damaged."""
        return self._reads.damages

    def uncertain_ledgers(self) -> list[int]:
        """Those of which entries may have been lost."""
        damages = self._reads.damages
        return [each.ledger_id for each in self.records.values() if each.checked < damages]

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
            self.admission.refuse(sink, entry_ids, Status.BAD_REQUEST)
            return
        record = self.records.get(ledger_id)
        if (
            record is None
            or record.fenced
            or record.master_key != master_key
            or self.admission.refusing is not None
        ):
            checked = self._access.admit(ledger_id, master_key, flags, entry_ids[0])
            if isinstance(checked, Status):
                self.admission.refuse(sink, entry_ids, checked)
                return
            record = checked
        size = self.cache.put_all(ledger_id, entry_ids, headers, payloads)
        record.last_entry = max(record.last_entry, self.cache.active.last_entry(ledger_id))
        journal = self._journal_list[record.journal]
        journal.append(headers, payloads, size, sink, entry_ids)
        if (
            self.cache.active.size >= self._cache_limit
            or journal.waiting_bytes >= self._queue_limit
        ):
            self.measure()

    def read(self, request: ReadRequest, flags: int, master_key: bytes) -> None:
        """See `magnetar_proto.bookie.Bookie`."""
        if self._closing:
            self._reads.refuse(request, Status.UNAVAILABLE)
        elif request.ledger_id < 0 or request.first_entry < LAST_ENTRY:
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
        self._check_working()
        try:
            await self.parts.garbage.delete_ledgers(ledger_ids)
        except (OSError, IndexFailedError) as error:
            self.fail(error)
            raise OutOfUseError(str(error)) from error

    async def compact(self, max_share: float, rate_bytes_per_s: int) -> int:
        """See `Compactor.compact`; the logs that are dead then go.

        Raises:
            OutOfUseError: the disk failed, now or before.
        """
        self._check_working()
        try:
            count = await self.parts.compactor.compact(max_share, rate_bytes_per_s)
            await self.parts.garbage.delete_dead_logs()
        except (OSError, IndexFailedError) as error:
            self.fail(error)
            raise OutOfUseError(str(error)) from error
        return count

    async def certify(self, ledger_ids: Iterable[int], *, unknown: bool) -> None:
        """Replicas were asked: nothing that these ledgers should have is missing here.

        Args:
            unknown: no ledger is missing either that should be here.

        Raises:
            OutOfUseError: the disk failed, now or before.
        """
        for ledger_id in ledger_ids:
            record = self.records.get(ledger_id)
            if record is not None:
                self.records.check(record, self._reads.damages)
        if unknown and self.uncertain:
            self._check_working()
            try:
                async with self.parts.catalog.lock:
                    checked = self._reads.damages
                    await self.parts.catalog.commit(IndexBatch(unknown_checked=checked))
            except IndexFailedError as error:
                self.fail(error)
                raise OutOfUseError(str(error)) from error
            self._reads.unknown_checked = checked
        await self.flush()

    async def flush(self) -> None:
        """Bring all that was added so far into entry logs and index.

        Raises:
            OutOfUseError: the disk failed, now or before.
        """
        await self.parts.flusher.idle()
        self.parts.flusher.request()
        await self.parts.flusher.idle()
        self._check_working()

    def begin(self, tasks: TaskScope) -> None:
        """Be ready to flush."""
        tasks.spawn(self.parts.flusher.run(), name=f"flusher {self.number}")

    async def find_place(self, log_ids: Sequence[int], slices: Slices) -> None:
        """Count what the entry logs hold, and begin a new one."""
        catalog = self.parts.catalog
        self._deleted = await catalog.count_rows(slices, self.records)
        self.parts.writer.begin(max([*log_ids, *catalog.rows_in_log], default=0) + 1)

    async def open(self, slices: Slices) -> None:
        """After replay: note where the journals go on, drop dead logs, take adds.

        Raises:
            OSError, StorageError: the disk failed, now or while the journals were replayed.
        """
        parts = self.parts
        parts.flusher.marks = self._journals.current_marks
        async with parts.catalog.lock:
            self._check_working()
            await self._note_beginnings(slices)
        # What has no record was being deleted, unless the journal has brought it back.
        await parts.garbage.delete_rows(self._deleted.difference(self.records))
        await parts.garbage.delete_dead_logs()
        parts.flusher.flush_every(self._config.flush_interval_ms)
        self.admission.set_state(None)
        self.measure()

    async def _note_beginnings(self, slices: Slices) -> None:
        """Before any add: the new journals, whose absence is noticed from now on, and all ledgers.

        Scenario: a ledger's key is in one journal, and its next entry goes to another one. Were
        the key replayed behind the entry, nobody would know in time which directory's it is.
        """
        batch = IndexBatch()
        for ledger_id in self.records.take_dirty():
            batch.record_puts.append((ledger_id, self.records[ledger_id].encode()))
            await slices.breathe()
        if self.cache.active.ledgers:
            begin = JournalMark(1, FILE_HEADER_BYTES, FIRST_MARK.sequence)
            batch.marks = {n: begin for n, mark in self.marks.items() if mark == FIRST_MARK}
        else:
            batch.marks = self._journals.current_marks()  # nothing before the new files is needed
        await self.parts.catalog.commit(batch)
        self.marks = {**self.marks, **batch.marks}

    def stop(self) -> None:
        """Take nothing more."""
        self._closing = True
        self.admission.set_state(Status.UNAVAILABLE)

    async def settle(self) -> None:
        """After `stop`, when nothing waits for a journal any more: end reads, flush."""
        await self._reads.drain()
        if self.failure is None:
            self.parts.flusher.request()
        await self.parts.flusher.idle()
        self.parts.flusher.stop_timer()

    async def close(self) -> None:
        """Close the files, after `settle`.

        Raises:
            OSError: the disk failed only now.
        """
        try:
            await self.parts.close()
        except OSError as error:
            if self.failure is None:
                raise
            _log.warning("%s failed and cannot be closed: %s", self.path, error)

    # What journals and flusher tell.

    def journal_settled(self) -> None:
        """See `JournalUser`."""
        if not self.admission.writable:
            self.measure()

    def request_flush(self) -> None:
        """See `JournalUser`."""
        self.parts.flusher.request()

    def flush_begun(self) -> None:
        """From the flusher: the active half is empty again."""
        self.measure()

    def flushed(self, marks: Mapping[int, JournalMark]) -> None:
        """From the flusher: everything before these marks is in the index."""
        self.marks = marks
        self._owner.marks_moved()
        self.measure()

    def flush_failed(self, error: BaseException) -> None:
        """From the flusher: the directory takes no more writes."""
        self.fail(error)

    # What replay tells.

    async def make_room(self) -> None:
        """See `ReplayTarget`: flush beside it, and wait when both halves are full."""
        if self.cache.active.size < self._cache_limit:
            return
        flusher = self.parts.flusher
        await flusher.idle()
        if self.failure is not None:
            raise OutOfUseError("the journal cannot be replayed") from self.failure
        flusher.request()

    def entries_lost(self, damages: int) -> None:
        """See `ReplayTarget`."""
        self.parts.catalog.damages = self._reads.damages = damages

    def measure(self) -> None:
        """Look at the load: ask for a flush, stop or release producers."""
        active_bytes = self.cache.active.size
        flushing = bool(self.cache.flushing.ledgers)
        if active_bytes >= self._cache_limit and not self.parts.flusher.requested:
            self.parts.flusher.request()
        self.admission.measure(active_bytes, flushing, self._journals.waiting_bytes)

    def set_room(self, room: Room) -> None:
        """Take what there is room for on the disk."""
        if self.failure is not None or self._closing:
            return
        state = None if room is Room.ENTRIES else Status.READ_ONLY
        self.admission.set_state(state, takes_recovery=room is Room.RECOVERY)
        self.measure()

    def fail(self, error: BaseException) -> None:
        """The first error of the disk is the last: the same pages are never tried again."""
        if self.failure is None:
            self.failure = error
            self.admission.set_state(Status.IO_ERROR)
            self._owner.engine_failed(self, error)

    def _check_working(self) -> None:
        if self.failure is not None:
            raise OutOfUseError(str(self.failure)) from self.failure
