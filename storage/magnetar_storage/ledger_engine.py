"""The engine of one ledger directory: its ledgers, write cache, entry logs, index.

Decisions about a ledger are made in one step on the loop: fence and key are checked, the entry is
in the write cache and in the journal's queue before anything else can run. That is why an add that
was in flight when a fence came is either seen by the fencing read or refused.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from magnetar_proto.bookie import (
    DEFERRED_SYNC,
    FENCE,
    LAST_ENTRY,
    AddSink,
    ForceDone,
    LacDone,
    Status,
)
from magnetar_runtime.clock import Clock
from magnetar_runtime.disk import Disk
from magnetar_runtime.scope import TaskScope

from magnetar_storage.admission import Admission
from magnetar_storage.config import BookieConfig
from magnetar_storage.counters import BookieCounters
from magnetar_storage.disk_watch import Room
from magnetar_storage.errors import IndexFailedError, OutOfUseError
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.journals import Journals
from magnetar_storage.ledger_access import LedgerAccess, plausible
from magnetar_storage.parts import BookieWorkers, EngineParts, FoundDirectory
from magnetar_storage.read_path import ReadRequest

_log = logging.getLogger(__name__)


class LedgerEngineOwner(Protocol):
    """The bookie."""

    def engine_failed(self, engine: "LedgerEngine", error: BaseException) -> None:
        """The directory takes no more writes. Told once."""

    def marks_moved(self) -> None:
        """An engine's index has more of the journals."""


class _ToldAlready:
    """The sink of adds that were answered before they are durable: a force will tell."""

    def adds_completed(self, entry_ids: Sequence[int], status: Status) -> None:
        """Nobody waits."""


TOLD_ALREADY: Final = _ToldAlready()


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
        self._loop = loop
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
    def damages(self) -> int:
        """How often its index knows the journals were found damaged."""
        return self._reads.damages

    def doubts(self, ledger_id: int) -> bool:
        """Damage to the journal may have taken entries of this ledger."""
        record = self.records.get(ledger_id)
        return record is not None and record.checked < self.damages

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
        if flags & DEFERRED_SYNC and not journal.failed:
            self._loop.call_soon(sink.adds_completed, entry_ids, Status.OK)
            sink = TOLD_ALREADY
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

    def write_lac(
        self, ledger_id: int, master_key: bytes, body: bytes, done: LacDone
    ) -> Status | None:
        """See `magnetar_proto.bookie.LacKeeper`; returns with what it is refused."""
        return self._access.write_lac(ledger_id, master_key, body, done)

    def force(self, ledger_id: int, done: ForceDone) -> None:
        """See `magnetar_proto.bookie.SyncDeferrer`."""
        record = self.records.get(ledger_id)
        if record is None:
            self._loop.call_soon(done, Status.OK)
        elif any(journal.failed for journal in self._journal_list):
            # Its adds may have gone to the one that failed, though it has gone on in another one.
            self._loop.call_soon(done, Status.IO_ERROR)
        else:
            self._journal_list[record.journal].force(done)

    async def flush(self) -> None:
        """Bring all that was added so far into entry logs and index.

        Raises:
            OutOfUseError: the disk failed, now or before.
        """
        await self.parts.flusher.idle()
        self.parts.flusher.request()
        await self.parts.flusher.idle()
        self.check_working()

    def begin(self, tasks: TaskScope) -> None:
        """Be ready to flush."""
        tasks.spawn(self.parts.flusher.run(), name=f"flusher {self.number}")

    def serve(self) -> None:
        """Take adds, when the start is done."""
        self.parts.flusher.flush_every(self._config.flush_interval_ms)
        self.admission.set_state(None)
        self.measure()

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
        self.parts.flusher.stop()

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
            self.parts.flusher.stop()
            self.admission.set_state(Status.IO_ERROR)
            self._owner.engine_failed(self, error)

    def check_working(self) -> None:
        """Raises OutOfUseError when the disk failed."""
        if self.failure is not None:
            raise OutOfUseError(str(self.failure)) from self.failure

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around work on the disk: its first error takes the directory out of use.

        Raises:
            OutOfUseError: the disk failed, now or before.
        """
        self.check_working()
        try:
            yield
        except (OSError, IndexFailedError) as error:
            self.fail(error)
            raise OutOfUseError(str(error)) from error
