"""What an engine is made of, and how it is found in its directory and given back."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from magnetar_runtime.clock import Clock
from magnetar_runtime.disk import Disk, Worker

from magnetar_storage.catalog import Catalog
from magnetar_storage.compaction import Compactor
from magnetar_storage.config import BookieConfig
from magnetar_storage.counters import BookieCounters
from magnetar_storage.directories import (
    Lock,
    all_directories,
    entry_log_directory,
    index_directory,
    lock_directories,
)
from magnetar_storage.entry_listing import EntryListing
from magnetar_storage.entry_log import (
    ENTRY_LOG_SUFFIX,
    BlockCache,
    EntryLogFiles,
    EntryLogReaders,
    EntryLogWriter,
)
from magnetar_storage.errors import IndexDamagedError
from magnetar_storage.flush import Flusher
from magnetar_storage.garbage import GarbageCollector
from magnetar_storage.identity import BookieIdentity, identify
from magnetar_storage.index_rebuild import finish_rebuild, rebuild_index
from magnetar_storage.journal_files import JOURNAL_SUFFIX
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.journals import Journals
from magnetar_storage.ledger_records import LedgerRecord, LedgerRecords
from magnetar_storage.lmdb_index import LmdbIndex
from magnetar_storage.location_index import LocationIndex
from magnetar_storage.numbered_files import warn_of_others
from magnetar_storage.read_path import ReadPath, ReadSources
from magnetar_storage.suspects import Suspects
from magnetar_storage.write_cache import WriteCache

_log = logging.getLogger(__name__)

OpenIndex = Callable[[str, int], LocationIndex]


@dataclass(frozen=True, slots=True)
class BookieWorkers:
    """The threads of an engine. Who makes them closes them, after the engine.

    Attributes:
        journal: writes and syncs groups, nothing else.
        storage: writes entry logs, commits the index, prepares journal files.
        readers: read blocks; at least one.
        other_journals: for journals behind the first; they share if there are too few.
        other_storages: for ledger directories behind the first; they share if there are too few.
    """

    journal: Worker
    storage: Worker
    readers: Sequence[Worker]
    other_journals: Sequence[Worker] = ()
    other_storages: Sequence[Worker] = ()

    @property
    def of_disks(self) -> Sequence[Worker]:
        """All that write."""
        return (self.journal, *self.other_journals, self.storage, *self.other_storages)

    def of_journal(self, place: int) -> Worker:
        """Who writes to this journal."""
        workers = (self.journal, *self.other_journals)
        return workers[place % len(workers)]

    def of_directory(self, place: int) -> Worker:
        """Who writes to this ledger directory."""
        workers = (self.storage, *self.other_storages)
        return workers[place % len(workers)]


@dataclass(frozen=True, slots=True)
class FoundDirectory:
    """What was there when a ledger directory was opened."""

    path: str
    number: int
    index: LocationIndex
    marks: dict[int, JournalMark]
    records: list[LedgerRecord]
    log_ids: list[int]


@dataclass(frozen=True, slots=True)
class Found:
    """What was there when the directories were opened; in the order of the configuration."""

    locks: list[Lock]
    identity: BookieIdentity
    directories: list[FoundDirectory]


async def find(
    config: BookieConfig,
    disk: Disk,
    workers: BookieWorkers,
    rng: random.Random,
    open_index: OpenIndex | None,
    lock: Callable[[str], Lock],
) -> Found:
    """Lock the directories, check that they belong together, read what is small.

    Raises:
        DirectoryLockedError, DirectoryError, FormatError, OSError: nothing is held then.
    """
    # Before their locks, which would make them too, but not durably.
    await workers.storage.run(partial(_make_directories, disk, all_directories(config)))
    locks = lock_directories(config, lock)
    indexes: list[LocationIndex] = []
    try:
        parts = [part for path in config.ledger_directories for part in _parts_of(path)]
        await workers.storage.run(partial(_make_directories, disk, parts))
        for place, path in enumerate(config.ledger_directories):
            opening = partial(_open_index, disk, config, path, open_index or LmdbIndex)
            indexes.append(await workers.of_directory(place).run(opening))
        identity = await workers.storage.run(partial(identify, disk, config, indexes, rng))
        await workers.storage.run(partial(identity.make_durable, disk, config))
        for place, batch in identity.batches:
            await workers.of_directory(place).run(partial(indexes[place].commit, batch))
        await workers.storage.run(partial(identity.write_labels, disk))
        search = partial(_find, config, disk, indexes, identity)
        return Found(locks, identity, await workers.storage.run(search))
    except BaseException:
        await _give_back(locks, indexes, workers)
        raise


def _open_index(
    disk: Disk, config: BookieConfig, path: str, open_index: OpenIndex
) -> LocationIndex:
    """The index of a ledger directory; another one in place of one that is damaged. Blocks."""

    def make(directory: str) -> LocationIndex:
        return open_index(directory, config.index_map_bytes)

    finish_rebuild(disk, path)
    try:
        return make(index_directory(path))
    except IndexDamagedError as error:
        _log.error("%s: %s", path, error)
    rebuild_index(disk, path, len(config.ledger_directories), config.journal_directories, make)
    return make(index_directory(path))


async def release(found: Found, workers: BookieWorkers) -> None:
    """Give back what `find` took."""
    await _give_back(found.locks, [each.index for each in found.directories], workers)


async def _give_back(
    locks: Sequence[Lock], indexes: Sequence[LocationIndex], workers: BookieWorkers
) -> None:
    for place, index in enumerate(indexes):
        await workers.of_directory(place).run(index.close)
    # A start that was cancelled leaves calls behind, which still use the directories.
    for worker in workers.of_disks:
        await worker.run(_nothing)
    for held in locks:
        held.release()


def _parts_of(ledger_directory: str) -> tuple[str, str]:
    return entry_log_directory(ledger_directory), index_directory(ledger_directory)


def _nothing() -> None: ...


def _make_directories(disk: Disk, directories: Iterable[str]) -> None:
    for directory in directories:
        disk.make_directories(directory)


def _find(
    config: BookieConfig, disk: Disk, indexes: Sequence[LocationIndex], identity: BookieIdentity
) -> list[FoundDirectory]:
    logs = map(entry_log_directory, config.ledger_directories)
    uses = ((config.journal_directories, JOURNAL_SUFFIX), (logs, ENTRY_LOG_SUFFIX))
    for directories, suffix in uses:
        for directory in directories:
            warn_of_others(directory, disk.names(directory), suffix)
    return [
        FoundDirectory(
            path,
            number,
            index,
            index.marks,
            index.records(),
            EntryLogFiles(disk, entry_log_directory(path)).log_ids(),
        )
        for path, number, index in zip(
            config.ledger_directories, identity.directories, indexes, strict=True
        )
    ]


class EngineOwner(Protocol):
    """Who is told what happens to the parts: the engine."""

    def flush_begun(self) -> None: ...

    def flushed(self, marks: Mapping[int, JournalMark]) -> None: ...

    def flush_failed(self, error: BaseException) -> None: ...


class EngineParts:
    """The parts of one ledger directory's engine, put together."""

    def __init__(
        self,
        owner: EngineOwner,
        config: BookieConfig,
        found: FoundDirectory,
        journals: Journals,
        disk: Disk,
        worker: Worker,
        readers: Sequence[Worker],
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        counters: BookieCounters,
    ) -> None:
        """Args: `worker` writes to the directory, `readers` read from it."""
        self.storage_worker = worker
        self.counters = counters
        self.suspects = Suspects()
        self.records = LedgerRecords(found.records, journals.choose)
        self.cache = WriteCache()
        self.catalog = Catalog(found.index, worker)
        logs = EntryLogFiles(disk, entry_log_directory(found.path))
        self.writer = EntryLogWriter(logs, config.entry_log_bytes)
        self.readers = EntryLogReaders(logs, readers)
        self.reads = self._read_path(config, loop)
        self.listing = EntryListing(self.cache, self.catalog.index, self.readers)
        self.flusher = self._flusher(owner, journals, clock, loop)
        self.garbage = GarbageCollector(
            records=self.records,
            cache=self.cache,
            catalog=self.catalog,
            files=logs,
            writer=self.writer,
            readers=self.readers,
            worker=worker,
            clock=clock,
            counters=counters,
        )
        self.compactor = Compactor(
            catalog=self.catalog,
            files=logs,
            writer=self.writer,
            readers=self.readers,
            worker=worker,
            clock=clock,
            counters=counters,
            suspects=self.suspects,
        )

    async def close(self) -> None:
        """Close the files, after the last flush and read."""
        try:
            await self.readers.close()
        finally:
            await self.storage_worker.run(self.writer.close)

    def _read_path(self, config: BookieConfig, loop: asyncio.AbstractEventLoop) -> ReadPath:
        sources = ReadSources(
            self.records,
            self.cache,
            self.catalog.index,
            self.readers,
            BlockCache(config.block_cache_bytes),
        )
        reads = ReadPath(sources, config.read_ahead_blocks, loop, self.counters, self.suspects)
        reads.damages = self.catalog.damages
        reads.unknown_checked = self.catalog.index.unknown_checked
        return reads

    def _flusher(
        self, owner: EngineOwner, journals: Journals, clock: Clock, loop: asyncio.AbstractEventLoop
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
            marks=journals.current_marks,
            begun=owner.flush_begun,
            flushed=owner.flushed,
            failed=owner.flush_failed,
        )
