"""The cluster in one process: SQLite metadata, one bookie, one broker, put together.

The only difference to services on machines is who implements the interfaces: the same code, the
same durability. `Standalone` opens the parts in the order in which each needs the one before it,
and closes them the other way round.
"""

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from magnetar_broker.config import BrokerConfig
from magnetar_broker.http.api import add_routes
from magnetar_broker.metrics import families as broker_families
from magnetar_broker.service import BrokerDeps, BrokerService, LedgerFactory
from magnetar_ledger.bookie_pool import LocalBookies
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.managed.config import ManagedLedgerDeps
from magnetar_ledger.managed.entry_cache import EntryCacheManager
from magnetar_ledger.managed.managed_ledger import ManagedLedger
from magnetar_ledger.placement import RandomPlacement
from magnetar_metadata.cookies import Cookie, CookieRegistry
from magnetar_metadata.errors import MetadataError, StoreFileError
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.managed_ledger_info import ManagedLedgerRegistry
from magnetar_metadata.sqlite import SqliteStore
from magnetar_metadata.store import MetadataStore
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.counters import Counters
from magnetar_runtime.directory_lock import lock_directory
from magnetar_runtime.http import HttpServer
from magnetar_runtime.network import SystemNetwork
from magnetar_runtime.scope import TaskScope, periodically
from magnetar_runtime.settings import StandaloneSettings
from magnetar_runtime.stalls import CollectorPauseMeter, LoopStallMeter
from magnetar_runtime.system_disk import SystemDisk
from magnetar_runtime.worker import ThreadWorker
from magnetar_storage.compaction_schedule import Compactions
from magnetar_storage.config import BookieConfig
from magnetar_storage.disk_monitor import DiskMonitor
from magnetar_storage.engine import BookieEngine
from magnetar_storage.errors import OutOfUseError, StorageError
from magnetar_storage.integrity import IntegrityCheck
from magnetar_storage.metrics import directory_families
from magnetar_storage.metrics import families as bookie_families
from magnetar_storage.parts import BookieWorkers

from magnetar_cli.acquaintance import acquaint
from magnetar_cli.standalone_config import (
    bookie_config,
    compaction_config,
    disk_limits,
    managed_ledger_config,
)

log = logging.getLogger(__name__)

_READERS = 2
_GARBAGE_INTERVAL_MS = 60_000
_INTEGRITY_INTERVAL_MS = 10_000


@dataclass(frozen=True, slots=True)
class Standalone:
    """What is running, and where."""

    broker_addresses: list[str]
    web_addresses: list[str]
    broker: BrokerService
    bookie: BookieEngine


@asynccontextmanager
async def open_standalone(
    settings: StandaloneSettings,
    data_dir: Path,
    on_failure: Callable[[BaseException], None],
    before_serving: Callable[[], None] = lambda: None,
) -> AsyncIterator[Standalone]:
    """A running standalone; left, it has stopped cleanly and persisted its cursors.

    Args:
        before_serving: called when all is open but nobody can connect yet: pauses are free here.
        on_failure: told when this process is of no use any more: the disk failed (nothing is
            acknowledged, or metadata cannot change), or a bug ended the work in the background.

    Raises:
        DirectoryLockedError: another process uses the directory.
        StorageError, MetadataError, OSError: the data cannot be opened, or a port is taken.
    """
    clock, rng = SystemClock(), random.Random()
    async with AsyncExitStack() as stack:
        SystemDisk().make_directories(os.fspath(data_dir))  # the lock makes it too, but not durably
        stack.callback(lock_directory(os.fspath(data_dir)).release)
        counters = Counters()
        store = await SqliteStore.open(os.fspath(data_dir / "metadata.sqlite"), clock)
        stack.push_async_callback(store.close)
        # It never comes back: topics could be written until their ledgers are full, no longer.
        failed = StoreFileError("metadata.sqlite", "a commit failed")
        store.when_session_ends(lambda _: on_failure(failed))
        config = bookie_config(settings, data_dir)
        bookie = await _open_bookie(stack, settings, config, clock, rng, on_failure)
        counters.add_source(partial(bookie_families, bookie.counters))
        counters.add_source(partial(directory_families, bookie))
        scope = TaskScope(on_failure)
        stack.push_async_callback(scope.close)
        disks = await _watch_disks(stack, settings, data_dir, config, bookie, scope)
        counters.add_source(disks.families)
        registry = LedgerRegistry(store)
        cookie = Cookie(bookie.bookie_id, config.journal_directories, config.ledger_directories)
        await acquaint(cookie, bookie.ledger_ids, CookieRegistry(store), registry)
        client = LedgerClient(
            registry,
            LocalBookies({bookie.bookie_id: bookie}),
            RandomPlacement(partial(_writable, bookie)),
            rng,
            clock,
            scope,
        )
        background = TaskScope(on_failure)
        stack.push_async_callback(background.close)
        deps = BrokerDeps(
            store,
            _ledgers(settings, store, client, clock),
            clock,
            takes_entries=lambda: not bookie.read_only,
        )
        broker = await _start_broker(stack, settings, deps, background, counters)
        before_serving()
        _measure_pauses(stack, clock, counters)
        collect = partial(_collect_garbage, bookie, registry)
        periodically(scope, _GARBAGE_INTERVAL_MS, collect, "garbage")
        check = partial(_check_integrity, IntegrityCheck(bookie, registry))
        periodically(scope, _INTEGRITY_INTERVAL_MS, check, "integrity")
        compactions = Compactions(bookie, compaction_config(settings), clock)
        periodically(scope, _GARBAGE_INTERVAL_MS, partial(_compact, compactions), "compaction")
        yield Standalone(
            await _listen(stack, settings, broker),
            await _start_web(stack, settings, broker, counters, clock),
            broker,
            bookie,
        )


async def _writable(bookie: BookieEngine) -> list[str]:
    return [] if bookie.read_only else [bookie.bookie_id]


async def _collect_garbage(bookie: BookieEngine, registry: LedgerRegistry) -> None:
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


def _measure_pauses(stack: AsyncExitStack, clock: SystemClock, counters: Counters) -> None:
    """From here on: what a client could notice."""
    stalls = LoopStallMeter(asyncio.get_running_loop(), clock)
    pauses = CollectorPauseMeter(clock)
    for meter in (stalls, pauses):
        meter.register(counters)
        meter.start()
        stack.callback(meter.stop)


async def _open_bookie(
    stack: AsyncExitStack,
    settings: StandaloneSettings,
    config: BookieConfig,
    clock: SystemClock,
    rng: random.Random,
    on_failure: Callable[[BaseException], None],
) -> BookieEngine:
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
        SystemDisk(sync=settings.journal_sync_data),
        workers,
        clock,
        rng,
        loop,
        on_failure=failed,
    )
    stack.push_async_callback(bookie.close)
    return bookie


async def _watch_disks(
    stack: AsyncExitStack,
    settings: StandaloneSettings,
    data_dir: Path,
    config: BookieConfig,
    bookie: BookieEngine,
    scope: TaskScope,
) -> DiskMonitor:
    # A thread of its own: where a look takes long, nobody else is to wait for it.
    worker = ThreadWorker(asyncio.get_running_loop(), "disk-watch")
    stack.push_async_callback(worker.close)
    directories = [os.fspath(data_dir), *config.ledger_directories, *config.journal_directories]
    disks = DiskMonitor(SystemDisk(), directories, disk_limits(settings), worker, bookie)
    await disks.check()  # before anybody can write
    scope.spawn(disks.run(), name="disk watch")
    return disks


async def _start_broker(
    stack: AsyncExitStack,
    settings: StandaloneSettings,
    deps: BrokerDeps,
    scope: TaskScope,
    counters: Counters,
) -> BrokerService:
    broker = BrokerService(BrokerConfig.of(settings), deps, scope)
    stack.push_async_callback(broker.stop)
    await broker.start()
    counters.add_source(partial(broker_families, broker))
    return broker


def _ledgers(
    settings: StandaloneSettings, store: MetadataStore, client: LedgerClient, clock: SystemClock
) -> LedgerFactory:
    deps = ManagedLedgerDeps(
        client=client,
        registry=ManagedLedgerRegistry(store),
        clock=clock,
        config=managed_ledger_config(settings),
        cache=EntryCacheManager(settings.managed_ledger_cache_mb << 20),
    )

    async def open_ledger(name: str, *, create: bool) -> ManagedLedger:
        return await ManagedLedger.open(name, deps, create)

    return open_ledger


async def _listen(
    stack: AsyncExitStack, settings: StandaloneSettings, broker: BrokerService
) -> list[str]:
    if settings.broker_service_port is None:
        return []
    listener = await SystemNetwork().listen(
        broker.new_connection, settings.listen_hosts, settings.broker_service_port
    )
    stack.callback(listener.close)
    return listener.addresses


async def _start_web(
    stack: AsyncExitStack,
    settings: StandaloneSettings,
    broker: BrokerService,
    counters: Counters,
    clock: SystemClock,
) -> list[str]:
    if settings.web_service_port is None:
        return []
    server = HttpServer(
        settings.listen_hosts, settings.web_service_port, counters=counters, clock=clock
    )
    add_routes(server.application, broker)
    await server.start()
    stack.push_async_callback(server.stop)
    return server.addresses
