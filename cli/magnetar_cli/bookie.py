"""A bookie as a service, put together: metadata, the engine, the port, the registration.

What was lost must never be called absent, so cookies and instance id are compared before the engine
touches a directory, and the bookie registers only when it can answer.
"""

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from magnetar_ledger.connect import connect_tools
from magnetar_metadata.bookie_registration import BookieRegistration
from magnetar_metadata.bookie_registry import BookieEndpoint, BookieServiceInfo, is_bookie_id
from magnetar_metadata.cookies import Cookie, CookieRegistry
from magnetar_metadata.errors import MetadataError
from magnetar_metadata.ledger_layout import check_layout, read_instance_id, settle_layout
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.metadata_url import MetadataUrl, open_store, parse_metadata_url
from magnetar_metadata.store import MetadataStore
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.counters import Counters
from magnetar_runtime.disk import DiskSpace
from magnetar_runtime.network import SystemNetwork
from magnetar_runtime.process_usage import families as process_families
from magnetar_runtime.scope import TaskScope, periodically
from magnetar_runtime.settings_bookie import BookieServiceSettings
from magnetar_runtime.system_disk import SystemDisk
from magnetar_storage.config import BookieConfig
from magnetar_storage.cookie_files import check_cookies, read_cookies, read_labels, write_cookies
from magnetar_storage.disk_monitor import DiskMonitor
from magnetar_storage.engine import BookieEngine
from magnetar_storage.errors import ConfigError, DirectoryError
from magnetar_storage.identity import new_bookie_id
from magnetar_storage.metrics import directory_families
from magnetar_storage.metrics import families as bookie_families
from magnetar_storage.scrub.scrubber import Scrubber
from magnetar_storage.service.limits import ServiceLimits
from magnetar_storage.service.server import BookieServer

from magnetar_cli.bookie_collect import ForcedCollection
from magnetar_cli.bookie_mode import BookieMode
from magnetar_cli.bookie_parts import (
    collect_garbage,
    keep_up,
    measure_pauses,
    open_bookie,
    watch_disks,
)
from magnetar_cli.bookie_tls import bookie_network, renew_certificate, service_security
from magnetar_cli.bookie_web import BookieWeb
from magnetar_cli.doubtful_ledgers import fence_doubtful
from magnetar_cli.scrubbing import start_scrubbing
from magnetar_cli.standalone_config import bookie_config, compaction_config, disk_limits

log = logging.getLogger(__name__)

_STATE_INTERVAL_MS = 1000
"""How soon the cluster hears that a disk is full or has room again."""

_DATA_DIRECTORY = Path("data/bookkeeper")
"""Where directories are that are not named, as in the file that Apache Pulsar ships."""


@dataclass(frozen=True, slots=True)
class BookieService:
    """What is running, and where."""

    bookie_id: str
    addresses: list[str]
    web_addresses: list[str]
    bookie: BookieEngine
    registration: BookieRegistration


@asynccontextmanager
async def open_bookie_service(
    settings: BookieServiceSettings,
    on_failure: Callable[[BaseException], None],
    before_serving: Callable[[], None] = lambda: None,
) -> AsyncIterator[BookieService]:
    """A running, registered bookie; left, it is unregistered and has stopped cleanly.

    Args:
        before_serving: called when all is open but nobody can connect yet.
        on_failure: told when this process is of no use any more.

    Raises:
        DirectoryLockedError: another process uses a directory.
        ConfError: a certificate cannot be used.
        StorageError, MetadataError, OSError: it cannot start; no directory was changed by a bookie
            that must not start.
    """
    clock, rng = SystemClock(), random.Random()
    url, security = parse_metadata_url(settings.metadata_url), service_security(settings)
    async with AsyncExitStack() as stack:
        counters = Counters()
        store = await stack.enter_async_context(
            open_store(url, clock, session_timeout_ms=settings.zk_timeout_ms)
        )
        cluster = _Cluster(store, url)
        config, cookie = await cluster.examine(_config(settings), rng)
        bookie = await open_bookie(
            stack,
            config,
            journal_sync=settings.journal_sync_data,
            clock=clock,
            rng=rng,
            on_failure=on_failure,
        )
        await cluster.join(config, cookie, bookie)
        await fence_doubtful(bookie, cluster.ledgers)
        directories = [*config.ledger_directories, *config.journal_directories]
        disks = await watch_disks(stack, directories, disk_limits(settings), bookie, on_failure)
        scope = TaskScope(on_failure)
        stack.push_async_callback(scope.close)
        mode = BookieMode(bookie, settings, config.ledger_directories, SystemDisk(), clock)
        await mode.begin()
        space = partial(_space, disks, config)
        server = BookieServer(
            bookie, asyncio.get_running_loop(), _limits(settings), space, security
        )
        _count(counters, bookie, disks, server)
        before_serving()
        measure_pauses(stack, clock, counters)
        stack.push_async_callback(server.close)
        where = settings.listen_hosts, settings.bookie_port
        addresses = await server.listen(SystemNetwork(), *where)
        collect, compaction = partial(cluster.collect_garbage, bookie), compaction_config(settings)
        forced = ForcedCollection(scope, bookie, collect, compaction)
        answers = BookieWeb(bookie, mode, forced, space)
        web = await _start_web(stack, settings, answers, counters, clock)
        registration = _registration(settings, cluster, bookie, addresses, web)
        stack.push_async_callback(registration.close)
        await registration.start(read_only=bookie.read_only)
        mode.registration = registration
        periodically(scope, _STATE_INTERVAL_MS, mode.follow, "bookie state")
        scrubber = await _scrub(stack, settings, cluster, bookie, counters, on_failure)
        renew_certificate(scope, settings, security)
        keep_up(
            scope, bookie, cluster.ledgers, compaction, clock, suspect=scrubber.suspect,
            garbage_interval_ms=settings.gc_wait_time_ms, collect=collect,
        )  # fmt: skip
        await _start_repair(stack, settings, cluster.store, bookie, counters, on_failure)
        yield BookieService(bookie.bookie_id, addresses, web, bookie, registration)


async def _start_repair(
    stack: AsyncExitStack,
    settings: BookieServiceSettings,
    store: MetadataStore,
    bookie: BookieEngine,
    counters: Counters,
    on_failure: Callable[[BaseException], None],
) -> None:
    """Auto-recovery in this process, if it is asked for."""
    if not settings.auto_recovery_daemon_enabled:
        return
    # A bookie without it needs nothing of the ledger client: its start is to stay quick.
    from magnetar_cli.auto_recovery import start_auto_recovery

    url = parse_metadata_url(settings.metadata_url)
    await start_auto_recovery(stack, store, url, settings, bookie.bookie_id, counters, on_failure)


async def _scrub(
    stack: AsyncExitStack,
    settings: BookieServiceSettings,
    cluster: "_Cluster",
    bookie: BookieEngine,
    counters: Counters,
    on_failure: Callable[[BaseException], None],
) -> Scrubber:
    """Check the bookie's records, and replace bad ones from the other bookies of the cluster."""
    connecting = connect_tools(
        cluster.store,
        ledgers_root=cluster.root,
        network_config=bookie_network(settings),
        on_failure=on_failure,
    )
    tools = await stack.enter_async_context(connecting)
    scope = TaskScope(on_failure)  # ends before the connections do
    stack.push_async_callback(scope.close)
    return start_scrubbing(scope, bookie, cluster.ledgers, tools, settings, SystemClock(), counters)


class _Cluster:
    """The cluster's metadata, as far as a bookie needs it."""

    def __init__(self, store: MetadataStore, url: MetadataUrl) -> None:
        self.store = store
        self.root = url.ledgers_root
        self.ledgers = LedgerRegistry(store, self.root)
        self._cookies = CookieRegistry(store, self.root)
        self._instance_id = ""

    async def examine(
        self, config: BookieConfig, rng: random.Random
    ) -> tuple[BookieConfig, Cookie]:
        """Whether the directories may be served in this cluster; changes nothing.

        Returns:
            The configuration with the bookie's id, and its cookie.

        Raises:
            DirectoryError: they may not.
            MetadataError: there is no cluster, or its ledgers have another layout.
        """
        disk = SystemDisk()
        self._instance_id = await read_instance_id(self.store, self.root)
        await check_layout(self.store, self.root)
        labels = await asyncio.to_thread(read_labels, disk, config)
        bookie_id = config.bookie_id or labels.bookie_id or new_bookie_id(rng)
        if labels.bookie_id not in (None, bookie_id):
            raise DirectoryError(
                f"the directories are of bookie {labels.bookie_id}, not of {bookie_id}"
            )
        cookie = Cookie(
            bookie_id, config.journal_directories, config.ledger_directories, self._instance_id
        )
        found = await self._cookies.read(bookie_id)
        in_directories = await asyncio.to_thread(read_cookies, disk, config)
        check_cookies(cookie, labels, in_directories, None if found is None else found[0])
        return replace(config, bookie_id=bookie_id), cookie

    async def join(self, config: BookieConfig, cookie: Cookie, bookie: BookieEngine) -> None:
        """Note the bookie in the cluster, then the cluster in the directories.

        Raises:
            DirectoryError: it holds ledgers of other metadata.
            UnknownLayoutError: another client was quicker to say where ledgers stand.
        """
        await settle_layout(self.store, self.root)
        found = await self._cookies.read(cookie.bookie_id)
        if found is None:
            await self._check_known(bookie)
            await self._cookies.create(cookie)
        elif found[0] != cookie:  # a standalone's, or directories have moved
            await self._cookies.write(cookie, found[1])
        await asyncio.to_thread(write_cookies, SystemDisk(), config, cookie)

    async def _check_known(self, bookie: BookieEngine) -> None:
        """A bookie with ledgers that comes without a cookie: some must be known to be its own.

        Ids alone prove nothing: each cluster begins to count at 0.
        """
        for ledger_id in bookie.ledger_ids:
            found = await self.ledgers.read(ledger_id)
            if found is not None and any(
                bookie.bookie_id in segment.bookies for segment in found[0].segments
            ):
                return
        if bookie.ledger_ids:
            raise DirectoryError(
                f"the directories hold {len(bookie.ledger_ids)} ledgers of bookie "
                f"{bookie.bookie_id}, of which this metadata knows none"
            )

    async def collect_garbage(self, bookie: BookieEngine) -> None:
        """Delete what metadata has deleted, unless it is the metadata of another cluster by now."""
        try:
            instance_id = await read_instance_id(self.store, self.root)
        except MetadataError as error:
            log.warning("deleted ledgers still take room: %s", error)
            return
        if instance_id != self._instance_id:
            log.error("the metadata is of another cluster now (instance id %s)", instance_id)
            return
        await collect_garbage(bookie, self.ledgers)


def _config(settings: BookieServiceSettings) -> BookieConfig:
    if settings.bookie_id and not is_bookie_id(settings.bookie_id):
        raise ConfigError(f"bookieId: {settings.bookie_id!r} cannot be the id of a bookie")
    if settings.journal_directory and not settings.journal_directories:
        settings = replace(settings, journal_directories=settings.journal_directory)
    data_dir = Path(os.path.realpath(_DATA_DIRECTORY))
    return replace(bookie_config(settings, data_dir), bookie_id=settings.bookie_id)


def _limits(settings: BookieServiceSettings) -> ServiceLimits:
    return ServiceLimits(
        max_frame_bytes=settings.max_frame_bytes,
        max_batch_read_bytes=settings.max_batch_read_bytes,
    )


def _space(disks: DiskMonitor, config: BookieConfig) -> DiskSpace | None:
    """Of the file systems under the ledger directories, each once."""
    found = {disks.spaces[each] for each in config.ledger_directories if each in disks.spaces}
    if not found:
        return None
    return DiskSpace(sum(s.total_bytes for s in found), sum(s.free_bytes for s in found))


def _registration(
    settings: BookieServiceSettings,
    cluster: _Cluster,
    bookie: BookieEngine,
    addresses: list[str],
    web_addresses: list[str],
) -> BookieRegistration:
    endpoints = [BookieEndpoint("bookie", settings.host, _port(addresses))]
    if web_addresses:
        endpoints.append(BookieEndpoint("httpserver", settings.host, _port(web_addresses), "http"))
    return BookieRegistration(
        cluster.store,
        bookie.bookie_id,
        BookieServiceInfo(tuple(endpoints)),
        root=cluster.root,
        session_timeout_ms=settings.zk_timeout_ms,
    )


def _count(
    counters: Counters, bookie: BookieEngine, disks: DiskMonitor, server: BookieServer
) -> None:
    for source in (
        partial(bookie_families, bookie.counters),
        partial(directory_families, bookie),
        disks.families,
        server.families,
        partial(process_families, {}),
    ):
        counters.add_source(source)


async def _start_web(
    stack: AsyncExitStack,
    settings: BookieServiceSettings,
    answers: BookieWeb,
    counters: Counters,
    clock: SystemClock,
) -> list[str]:
    if not settings.http_server_enabled:
        return []
    server = answers.server(settings, counters, clock)
    await server.start()
    stack.push_async_callback(server.stop)
    return server.addresses


def _port(addresses: list[str]) -> int:
    return int(addresses[0].rpartition(":")[2])
