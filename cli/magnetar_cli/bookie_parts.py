"""A bookie in this process: its engine with the threads, its disks watched, its upkeep."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

from magnetar_metadata.errors import MetadataError
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.counters import Counters
from magnetar_runtime.scope import TaskScope, periodically
from magnetar_runtime.stalls import CollectorPauseMeter, LoopStallMeter
from magnetar_runtime.system_disk import SystemDisk
from magnetar_runtime.worker import ThreadWorker
from magnetar_storage.compaction_schedule import CompactionConfig, Compactions
from magnetar_storage.config import BookieConfig
from magnetar_storage.disk_monitor import DiskMonitor, WatchedBookie
from magnetar_storage.disk_watch import DiskLimits
from magnetar_storage.engine import BookieEngine
from magnetar_storage.errors import OutOfUseError, StorageError
from magnetar_storage.integrity import IntegrityCheck
from magnetar_storage.parts import BookieWorkers

log = logging.getLogger(__name__)

_READERS = 2
_GARBAGE_INTERVAL_MS = 60_000
_COMPACTION_INTERVAL_MS = 60_000
_INTEGRITY_INTERVAL_MS = 60_000


def keep_up(
    scope: TaskScope,
    bookie: BookieEngine,
    registry: LedgerRegistry,
    compaction: CompactionConfig,
    clock: SystemClock,
    *,
    suspect: Callable[[int], None] = lambda _: None,
    garbage_interval_ms: int = _GARBAGE_INTERVAL_MS,
    collect: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Collect garbage, compact entry logs and make uncertain ledgers certain, again and again.

    Args:
        suspect: told of ledgers of which something is missing.
        collect: in place of `collect_garbage`.
    """
    collect = collect or partial(collect_garbage, bookie, registry)
    periodically(scope, garbage_interval_ms, collect, "garbage")
    check = partial(_check_integrity, IntegrityCheck(bookie, registry, suspect))
    periodically(scope, _INTEGRITY_INTERVAL_MS, check, "integrity")
    compactions = Compactions(bookie, compaction, clock)
    periodically(scope, _COMPACTION_INTERVAL_MS, partial(_compact, compactions), "compaction")


async def collect_garbage(bookie: BookieEngine, registry: LedgerRegistry) -> None:
    """Delete the ledgers that metadata no longer has; what fails is tried again later."""
    try:
        await bookie.collect_garbage(registry)
    except (StorageError, MetadataError) as error:
        # Next time again: what failed for good ends the process by `on_failure`.
        log.warning("deleted ledgers still take room: %s", error)


async def _compact(compactions: Compactions) -> None:
    try:
        await compactions.run_due()
    except StorageError as error:
        log.warning("entry logs are not compacted: %s", error)


async def _check_integrity(check: IntegrityCheck) -> None:
    try:
        await check.run()
    except (StorageError, MetadataError) as error:
        log.warning("ledgers stay uncertain after damage to a journal: %s", error)


async def open_bookie(
    stack: AsyncExitStack,
    config: BookieConfig,
    *,
    journal_sync: bool,
    clock: SystemClock,
    rng: random.Random,
    on_failure: Callable[[BaseException], None],
) -> BookieEngine:
    """The engine, closed with the stack.

    Args:
        journal_sync: false means that nothing is synced, for tests of others.
        on_failure: told once when the disks failed.

    Raises:
        StorageError, OSError
    """

    def failed(error: BaseException) -> None:
        # Whatever error a call on its files was: it is the disk, which others have to know.
        outside = isinstance(error, OSError | StorageError)
        on_failure(OutOfUseError(str(error)) if outside else error)

    loop = asyncio.get_running_loop()
    journals = [ThreadWorker(loop, f"journal-{n}") for n in range(len(config.journal_directories))]
    storages = [ThreadWorker(loop, f"storage-{n}") for n in range(len(config.ledger_directories))]
    readers = [ThreadWorker(loop, f"reader-{n}") for n in range(_READERS)]
    for worker in (*journals, *storages, *readers):
        stack.push_async_callback(worker.close)
    workers = BookieWorkers(journals[0], storages[0], readers, journals[1:], storages[1:])
    bookie = await BookieEngine.open(
        config,
        SystemDisk(sync=journal_sync),
        workers,
        clock,
        rng,
        loop,
        on_failure=failed,
    )
    stack.push_async_callback(bookie.close)
    return bookie


async def watch_disks(
    stack: AsyncExitStack,
    directories: Sequence[str],
    limits: DiskLimits,
    bookie: WatchedBookie,
    on_failure: Callable[[BaseException], None],
) -> DiskMonitor:
    """Look at the room of these directories, now and from time to time."""
    # A thread of its own: where a look takes long, nobody else is to wait for it.
    worker = ThreadWorker(asyncio.get_running_loop(), "disk-watch")
    stack.push_async_callback(worker.close)
    disks = DiskMonitor(SystemDisk(), directories, limits, worker, bookie)
    await disks.check()  # before anybody can write
    scope = TaskScope(on_failure)  # ends before the thread does, which a look needs
    stack.push_async_callback(scope.close)
    scope.spawn(disks.run(), name="disk watch")
    return disks


def measure_pauses(stack: AsyncExitStack, clock: SystemClock, counters: Counters) -> None:
    """From here on: what a client could notice."""
    stalls = LoopStallMeter(asyncio.get_running_loop(), clock)
    pauses = CollectorPauseMeter(clock)
    for meter in (stalls, pauses):
        meter.register(counters)
        meter.start()
        stack.callback(meter.stop)
