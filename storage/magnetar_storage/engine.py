"""The bookie: an engine per ledger directory and a journal per journal directory.

It finds out whose ledger it is and hands the call on. A directory whose disk failed or is full is
out of use with its ledgers; the others go on, and take the new ledgers.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Self

from magnetar_proto.bookie import FENCE, AddSink, ForceDone, LacDone, ReadSink, Status
from magnetar_runtime.clock import Clock
from magnetar_runtime.directory_lock import lock_directory
from magnetar_runtime.disk import Disk
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.slices import Slices

from magnetar_storage.config import BookieConfig
from magnetar_storage.counters import BookieCounters
from magnetar_storage.directories import Lock
from magnetar_storage.disk_watch import Room
from magnetar_storage.journal import Journal
from magnetar_storage.journal_files import JournalFiles
from magnetar_storage.journals import Journals, JournalWatch
from magnetar_storage.ledger_directories import LedgerDirectories
from magnetar_storage.ledger_engine import LedgerEngine
from magnetar_storage.owners import Owners
from magnetar_storage.parts import BookieWorkers, Found, OpenIndex, find, release
from magnetar_storage.read_path import ReadRequest
from magnetar_storage.startup import Startup
from magnetar_storage.upkeep import Upkeep

_log = logging.getLogger(__name__)


class BookieEngine(Upkeep):
    """`Bookie`, `LacKeeper` and `SyncDeferrer` of `magnetar_proto.bookie` in this process.

    Attributes:
        bookie_id: made once, kept in the directories, no address.
        counters: plain integers, read at any time.
        failure: the error that took the last directory out of use; None while one works.
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
        self._found = found
        self._workers = workers
        self._clock = clock
        self._loop = loop
        self._on_failure = on_failure
        self.bookie_id = found.identity.bookie_id
        self.counters = BookieCounters()
        self.failure: BaseException | None = None
        self._tasks = TaskScope()
        self._closing = False
        self.journals = Journals(found.identity.journals, config.journal_directories)
        for place, path in enumerate(config.journal_directories):
            self.journals.all.append(
                Journal(
                    JournalFiles(disk, path, config.journal_spare_files),
                    config.journal_file_bytes,
                    worker=workers.of_journal(place),
                    housekeeper=workers.storage,
                    clock=clock,
                    rng=rng,
                    loop=loop,
                    counters=self.counters,
                    owner=JournalWatch(place, self),
                    seal_after_ms=config.journal_seal_ms,
                )
            )
        self.engines = [
            LedgerEngine(
                self, config, directory, place, self.journals, disk, workers, clock, loop,
                self.counters,
            )
            for place, directory in enumerate(found.directories)
        ]  # fmt: skip
        self.journals.users += self.engines
        self._paths = {engine.path for engine in self.engines}
        self._owners = Owners(self.engines)
        self.directories = LedgerDirectories(self.engines)

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
        """Open the directories, or begin new ones, and replay the journals.

        Args:
            open_index: opens the location index at a path with its most bytes; LMDB if not given.
            lock: takes a directory's lock.
            on_failure: told once when the disks failed and the bookie takes no more entries.

        Raises:
            DirectoryLockedError: another process has the directories.
            DirectoryError: the directories do not belong together.
            OSError, StorageError: the disk failed.
        """
        found = await find(config, disk, workers, rng, open_index, lock)
        try:
            bookie = cls(config, found, disk, workers, clock, rng, loop, on_failure)
            await bookie._start()
        except BaseException:
            await release(found, workers)
            raise
        return bookie

    @property
    def writable(self) -> bool:
        """See `magnetar_proto.bookie.Bookie`."""
        return all(engine.admission.writable for engine in self.engines)

    def when_writable(self, callback: Callable[[], None]) -> None:
        """See `magnetar_proto.bookie.Bookie`."""
        for engine in self.engines:
            if not engine.admission.writable:
                engine.admission.when_writable(lambda: self.when_writable(callback))
                return
        self._loop.call_soon(callback)

    @property
    def read_only(self) -> bool:
        """No directory takes entries, for lack of room or because it was asked for."""
        return self.directories.read_only

    @property
    def asked_read_only(self) -> bool:
        """An operator wants it read-only, whatever the disks have room for."""
        return self.directories.asked_read_only

    def ask_read_only(self, asked: bool) -> None:
        """Refuse ordinary adds with READ_ONLY, or take them again if there is room for them."""
        self.directories.ask_read_only(asked)

    @property
    def takes_recovery(self) -> bool:
        """Some directory takes at least recovery adds."""
        return self.directories.takes_recovery

    def set_rooms(self, rooms: Mapping[str, Room]) -> None:
        """Refuse adds with READ_ONLY where there is no room for them, or take them again.

        Args:
            rooms: by path, of ledger directories, journals and whatever else must have room.
        """
        failed = {path for path in self.journals.paths_failed if path not in self._paths}
        needed = self.journals.paths_working
        rooms = {path: room for path, room in rooms.items() if path not in failed}
        self.directories.set_rooms(rooms, needed)

    def directory_failed(self, path: str, error: OSError) -> bool:
        """The disk of a directory failed; False if it is none of the bookie's."""
        engines = [engine for engine in self.engines if engine.path == path]
        for engine in engines:
            engine.fail(error)
        return self.journals.directory_failed(path, error) or bool(engines)

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
        engine = self._owners.get(ledger_id)
        if engine is None:
            engine = self.directories.choose(ledger_id)
            engine.add(ledger_id, entry_ids, master_key, headers, payloads, flags, sink)
            self._note_owner(ledger_id, engine)
        else:
            engine.add(ledger_id, entry_ids, master_key, headers, payloads, flags, sink)

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
        engine = self._owners.get(ledger_id)
        if engine is None:
            engine = self.directories.choose(ledger_id)
            engine.read(request, flags, master_key)
            if flags & FENCE:
                self._note_owner(ledger_id, engine)
        else:
            engine.read(request, flags, master_key)

    @property
    def defers_sync(self) -> bool:
        """See `magnetar_proto.bookie.SyncDeferrer`."""
        return True

    @property
    def losses(self) -> int:
        """See `magnetar_proto.bookie.SyncDeferrer`: what loses them ends this object too."""
        return 0

    def force(self, ledger_id: int, done: ForceDone) -> None:
        """See `magnetar_proto.bookie.SyncDeferrer`."""
        engine = self._owners.get(ledger_id)
        if engine is None:
            self._loop.call_soon(done, Status.OK)
        else:
            engine.force(ledger_id, done)

    @property
    def keeps_lac(self) -> bool:
        """See `magnetar_proto.bookie.LacKeeper`."""
        return True

    def write_lac(
        self, ledger_id: int, lac: int, master_key: bytes, body: bytes, done: LacDone
    ) -> None:
        """See `magnetar_proto.bookie.LacKeeper`; `lac` is taken from the body."""
        engine = self._owners.get(ledger_id) or self.directories.choose(ledger_id)
        refusal = engine.write_lac(ledger_id, master_key, body, done)
        self._note_owner(ledger_id, engine)
        if refusal is not None:
            self._loop.call_soon(done, refusal, None)

    def read_lac(self, ledger_id: int, done: LacDone) -> None:
        """See `magnetar_proto.bookie.LacKeeper`."""
        body = self.explicit_lac(ledger_id)
        nothing = Status.NO_ENTRY if ledger_id in self._owners else Status.NO_LEDGER
        self._loop.call_soon(done, Status.OK if body else nothing, body or None)

    def explicit_lac(self, ledger_id: int) -> bytes:
        """The body in which the ledger's writer told its highest LAC; b"" without one."""
        engine = self._owners.get(ledger_id)
        record = None if engine is None else engine.records.get(ledger_id)
        return b"" if record is None else record.explicit_lac

    async def close(self) -> None:
        """Flush, mark the clean end, close all files and give the directories free.

        Raises:
            OSError: a disk failed only now; everything else is closed all the same.
        """
        if self._closing:
            return
        self._closing = True
        for engine in self.engines:
            engine.stop()
        await self.journals.drain()
        for engine in self.engines:
            await engine.settle()
        async with AsyncExitStack() as stack:  # one that fails keeps no other from being closed
            stack.push_async_callback(release, self._found, self._workers)
            for engine in self.engines:
                stack.push_async_callback(engine.close)
            for journal in self.journals.all:
                stack.push_async_callback(journal.close)
            await self._tasks.close()

    # What journals and engines tell.

    def journal_settled(self) -> None:
        """A group is durable: fewer bytes wait."""
        self.journals.settled()

    def journal_failed(self, place: int, error: BaseException) -> None:
        """Nothing more becomes durable in this journal."""
        if not self.journals.out_of_use(place, error):
            for engine in self.engines:
                engine.fail(error)

    def marks_moved(self) -> None:
        """An engine's index has more of the journals: files may go."""
        self.journals.retire()

    def engine_failed(self, engine: LedgerEngine, error: BaseException) -> None:
        """A directory takes no more writes; with the last one the bookie is out of use."""
        if self.directories.set_failed(engine):
            # Its entries that are in journals only are nowhere else. What bounds that is the disk
            # watch: the bookie is read-only before the journals have filled their disks.
            _log.critical(
                "%s is out of use, other directories go on; its part of the journals is kept until"
                " the next start: %s", engine.path, error,
            )  # fmt: skip
            return
        self.failure = error
        _log.critical("the bookie takes no more entries: %s", error)
        self.journals.fail(error)
        if self._on_failure is not None:
            self._loop.call_soon(self._on_failure, error)

    async def _start(self) -> None:
        startup = Startup(
            self.engines, self._owners, self.journals, Slices(self._clock), self._workers.storage
        )
        for engine in self.engines:
            engine.begin(self._tasks)
        try:
            log_ids = [found.log_ids for found in self._found.directories]
            self.counters.replayed_entries = await startup.run(log_ids)
        except BaseException:
            await self._tasks.close()
            raise

    def _note_owner(self, ledger_id: int, engine: LedgerEngine) -> None:
        if ledger_id in engine.records:
            self._owners[ledger_id] = engine
