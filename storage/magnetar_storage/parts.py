"""What an engine is made of, and how it is found in its directories and given back."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from magnetar_runtime.clock import Clock
from magnetar_runtime.disk import Disk, Worker
from magnetar_runtime.scope import TaskScope

from magnetar_storage.catalog import Catalog
from magnetar_storage.config import BookieConfig
from magnetar_storage.counters import BookieCounters
from magnetar_storage.directories import (
    Lock,
    entry_log_directory,
    identify,
    index_directory,
    lock_directories,
)
from magnetar_storage.entry_log import (
    BlockCache,
    EntryLogFiles,
    EntryLogReaders,
    EntryLogWriter,
)
from magnetar_storage.flush import Flusher
from magnetar_storage.garbage import GarbageCollector
from magnetar_storage.journal import Journal, JournalOwner
from magnetar_storage.journal_files import JournalFiles
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.ledger_records import LedgerRecord, LedgerRecords
from magnetar_storage.lmdb_index import LmdbIndex
from magnetar_storage.location_index import LocationIndex
from magnetar_storage.read_path import ReadPath, ReadSources
from magnetar_storage.replay import FIRST_MARK
from magnetar_storage.write_cache import WriteCache

OpenIndex = Callable[[str, int], LocationIndex]


@dataclass(frozen=True, slots=True)
class BookieWorkers:
    """The threads of an engine. Who makes them closes them, after the engine.

    Attributes:
        journal: writes and syncs groups, nothing else.
        storage: writes entry logs, commits the index, prepares journal files.
        readers: read blocks; at least one.
    """

    journal: Worker
    storage: Worker
    readers: Sequence[Worker]


@dataclass(frozen=True, slots=True)
class Found:
    """What was there when the directories were opened."""

    locks: list[Lock]
    index: LocationIndex
    bookie_id: str
    mark: JournalMark
    records: list[LedgerRecord]
    log_ids: list[int]


async def find(
    config: BookieConfig,
    disk: Disk,
    worker: Worker,
    rng: random.Random,
    open_index: OpenIndex | None,
    lock: Callable[[str], Lock],
) -> Found:
    """Lock the directories, check that they belong together, read what is small.

    Raises:
        DirectoryLockedError, DirectoryError, FormatError, OSError: nothing is held then.
    """
    locks = lock_directories(config, lock)
    try:
        search = partial(_find, config, disk, rng, open_index or LmdbIndex, locks)
        found: Found = await worker.run(search)
        return found
    except BaseException:
        for held in locks:
            held.release()
        raise


def _find(
    config: BookieConfig, disk: Disk, rng: random.Random, open_index: OpenIndex, locks: list[Lock]
) -> Found:
    for directory in (config.journal_directory, entry_log_directory(config)):
        disk.make_directories(directory)
    disk.make_directories(index_directory(config))
    index = open_index(index_directory(config), config.index_map_bytes)
    try:
        bookie_id = identify(disk, config, index, rng)
        log_ids = EntryLogFiles(disk, entry_log_directory(config)).log_ids()
        mark = index.mark or FIRST_MARK
        return Found(locks, index, bookie_id, mark, index.records(), log_ids)
    except BaseException:
        index.close()
        raise


async def release(found: Found, worker: Worker) -> None:
    """Give back what `find` took."""
    await worker.run(found.index.close)
    for lock in found.locks:
        lock.release()


class EngineOwner(JournalOwner, Protocol):
    """Who is told what happens to the parts: the engine."""

    def flush_begun(self) -> None: ...

    def flushed(self, mark: JournalMark) -> None: ...

    def flush_failed(self, error: BaseException) -> None: ...


class EngineParts:
    """The parts, put together. One journal and one entry log directory for now."""

    def __init__(
        self,
        owner: EngineOwner,
        config: BookieConfig,
        found: Found,
        disk: Disk,
        workers: BookieWorkers,
        clock: Clock,
        rng: random.Random,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._found = found
        self.storage_worker = workers.storage
        self.counters = BookieCounters()
        self.records = LedgerRecords(found.records)
        self.cache = WriteCache()
        self.catalog = Catalog(found.index, workers.storage)
        self.journal_files = JournalFiles(
            disk, config.journal_directory, config.journal_spare_files
        )
        self.journal = Journal(
            self.journal_files,
            config.journal_file_bytes,
            worker=workers.journal,
            housekeeper=workers.storage,
            clock=clock,
            rng=rng,
            loop=loop,
            counters=self.counters,
            owner=owner,
        )
        logs = EntryLogFiles(disk, entry_log_directory(config))
        self.writer = EntryLogWriter(logs, config.entry_log_bytes)
        self.readers = EntryLogReaders(logs, workers.readers)
        self.reads = self._read_path(config, loop)
        self.flusher = self._flusher(owner, clock, loop)
        self.garbage = GarbageCollector(
            records=self.records,
            cache=self.cache,
            catalog=self.catalog,
            files=logs,
            writer=self.writer,
            readers=self.readers,
            worker=workers.storage,
            clock=clock,
            counters=self.counters,
        )

    async def close(self, tasks: TaskScope) -> None:
        """After the last flush was asked for: wait for it, then close everything."""
        await self.flusher.idle()
        self.flusher.stop_timer()
        await tasks.close()
        await self.journal.close()
        await self.readers.close()
        await self.storage_worker.run(self.writer.close)
        await release(self._found, self.storage_worker)

    def _read_path(self, config: BookieConfig, loop: asyncio.AbstractEventLoop) -> ReadPath:
        sources = ReadSources(
            self.records,
            self.cache,
            self.catalog.index,
            self.readers,
            BlockCache(config.read_cache_bytes),
        )
        return ReadPath(sources, config.read_ahead_blocks, loop, self.counters)

    def _flusher(
        self, owner: EngineOwner, clock: Clock, loop: asyncio.AbstractEventLoop
    ) -> Flusher:
        return Flusher(
            cache=self.cache,
            records=self.records,
            catalog=self.catalog,
            writer=self.writer,
            worker=self.storage_worker,
            clock=clock,
            loop=loop,
            counters=self.counters,
            mark=lambda: self.journal.synced,
            begun=owner.flush_begun,
            flushed=owner.flushed,
            failed=owner.flush_failed,
        )
