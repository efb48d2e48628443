"""The cluster in one process: SQLite metadata, one bookie, one broker, put together.

The only difference to services on machines is who implements the interfaces: the same code, the
same durability. `Standalone` opens the parts in the order in which each needs the one before it,
and closes them the other way round.
"""

import logging
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from magnetar_broker.service import BrokerDeps, BrokerService
from magnetar_ledger.bookie_health import BookieHealth
from magnetar_ledger.bookie_pool import LocalBookies
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.placement import RandomPlacement
from magnetar_metadata.cookies import Cookie, CookieRegistry
from magnetar_metadata.errors import StoreFileError
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.sqlite import SqliteStore
from magnetar_runtime.clock import Clock, SystemClock
from magnetar_runtime.counters import Counters
from magnetar_runtime.directory_lock import lock_directory
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.settings import StandaloneSettings
from magnetar_runtime.system_disk import SystemDisk
from magnetar_storage.config import BookieConfig
from magnetar_storage.engine import BookieEngine
from magnetar_storage.metrics import directory_families
from magnetar_storage.metrics import families as bookie_families

from magnetar_cli.acquaintance import acquaint
from magnetar_cli.bookie_parts import keep_up, measure_pauses, open_bookie, watch_disks
from magnetar_cli.broker_parts import (
    ledger_factory,
    listen,
    start_broker,
    start_web,
)
from magnetar_cli.scrubbing import start_scrubbing
from magnetar_cli.standalone_config import (
    bookie_config,
    compaction_config,
    disk_limits,
    managed_ledger_config,
)

log = logging.getLogger(__name__)


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
    clock = SystemClock()
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
        bookie, scope = await _open_bookie(stack, settings, data_dir, config, counters, on_failure)
        registry = LedgerRegistry(store)
        cookie = Cookie(bookie.bookie_id, config.journal_directories, config.ledger_directories)
        await acquaint(cookie, bookie.ledger_ids, CookieRegistry(store), registry)
        tools = _client_tools(bookie, registry, clock, scope)
        client = LedgerClient.with_tools(tools)
        background = TaskScope(on_failure)
        stack.push_async_callback(background.close)
        deps = BrokerDeps(
            store,
            ledger_factory(
                managed_ledger_config(settings),
                settings.managed_ledger_cache_mb,
                store,
                client,
                clock,
            ),
            clock,
            takes_entries=lambda: not bookie.read_only,
        )
        broker = await start_broker(stack, settings, deps, background, counters)
        before_serving()
        measure_pauses(stack, clock, counters)
        scrubber = start_scrubbing(scope, bookie, registry, tools, settings, clock, counters)
        compaction = compaction_config(settings)
        keep_up(scope, bookie, registry, compaction, clock, suspect=scrubber.suspect)
        yield Standalone(
            await listen(stack, settings, broker),
            await start_web(stack, settings, broker, counters, clock),
            broker,
            bookie,
        )


async def _open_bookie(
    stack: AsyncExitStack,
    settings: StandaloneSettings,
    data_dir: Path,
    config: BookieConfig,
    counters: Counters,
    on_failure: Callable[[BaseException], None],
) -> tuple[BookieEngine, TaskScope]:
    """The bookie with its disks watched, and the scope of what goes on beside it."""
    bookie = await open_bookie(
        stack,
        config,
        journal_sync=settings.journal_sync_data,
        clock=SystemClock(),
        rng=random.Random(),
        on_failure=on_failure,
    )
    counters.add_source(partial(bookie_families, bookie.counters))
    counters.add_source(partial(directory_families, bookie))
    directories = [os.fspath(data_dir), *config.ledger_directories, *config.journal_directories]
    disks = await watch_disks(stack, directories, disk_limits(settings), bookie, on_failure)
    counters.add_source(disks.families)
    scope = TaskScope(on_failure)
    stack.push_async_callback(scope.close)
    return bookie, scope


def _client_tools(
    bookie: BookieEngine, registry: LedgerRegistry, clock: Clock, scope: TaskScope
) -> ClientTools:
    """Of a client whose only bookie is in this process."""
    config = LedgerClientConfig()
    return ClientTools(
        registry,
        LocalBookies({bookie.bookie_id: bookie}),
        RandomPlacement(partial(_writable, bookie)),
        random.Random(),
        clock,
        scope,
        config,
        BookieHealth(config),
    )


async def _writable(bookie: BookieEngine) -> list[str]:
    return [] if bookie.read_only else [bookie.bookie_id]
