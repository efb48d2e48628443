"""Auto-recovery put together: beside a bookie in its process, or as a service of its own."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from magnetar_ledger.connect import connect_tools
from magnetar_ledger.repair.auto_recovery import AutoRecovery
from magnetar_ledger.repair.config import RepairConfig
from magnetar_metadata.ledger_layout import read_instance_id
from magnetar_metadata.metadata_url import MetadataUrl, open_store, parse_metadata_url
from magnetar_metadata.store import MetadataStore
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.counters import Counters, Family, Kind, Sample
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.settings_bookie import BookieServiceSettings
from magnetar_runtime.settings_repair import RepairSettings

from magnetar_cli.bookie_tls import bookie_network
from magnetar_cli.heartbeat import heartbeat_server


@dataclass(frozen=True, slots=True)
class AutoRecoveryService:
    """What is running, and where."""

    bookie_id: str
    web_addresses: list[str]
    recovery: AutoRecovery


@asynccontextmanager
async def open_auto_recovery(
    settings: BookieServiceSettings,
    on_failure: Callable[[BaseException], None],
    before_serving: Callable[[], None] = lambda: None,
) -> AsyncIterator[AutoRecoveryService]:
    """An auditor's candidate and a replication worker in a process without a bookie.

    Args:
        before_serving: called when all is open but nobody can connect yet.
        on_failure: told when this process is of no use any more.

    Raises:
        MetadataError, OSError: it cannot start.
    """
    clock, url = SystemClock(), parse_metadata_url(settings.metadata_url)
    bookie_id = settings.bookie_id or f"{settings.host}:{settings.bookie_port}"
    async with AsyncExitStack() as stack:
        counters = Counters()
        store = await stack.enter_async_context(
            open_store(url, clock, session_timeout_ms=settings.zk_timeout_ms)
        )
        await read_instance_id(store, url.ledgers_root)  # there is a cluster
        before_serving()
        recovery = await start_auto_recovery(
            stack, store, url, settings, bookie_id, counters, on_failure
        )
        web = await _start_web(stack, settings, counters, clock)
        yield AutoRecoveryService(bookie_id, web, recovery)


async def start_auto_recovery(
    stack: AsyncExitStack,
    store: MetadataStore,
    url: MetadataUrl,
    settings: BookieServiceSettings,
    bookie_id: str,
    counters: Counters,
    on_failure: Callable[[BaseException], None],
) -> AutoRecovery:
    """Run auto-recovery until the stack is closed."""
    connecting = connect_tools(
        store,
        ledgers_root=url.ledgers_root,
        network_config=bookie_network(settings),
        on_failure=on_failure,
    )
    tools = await stack.enter_async_context(connecting)
    config = repair_config(settings)
    recovery = AutoRecovery(store, tools, bookie_id, config, url.ledgers_root)
    scope = TaskScope(on_failure)
    stack.push_async_callback(scope.close)
    scope.spawn(recovery.run(), name="auto-recovery")
    counters.add_source(partial(families, recovery))
    return recovery


def repair_config(settings: RepairSettings) -> RepairConfig:
    """What the keys of `bookkeeper.conf` ask for."""
    return RepairConfig(
        lost_bookie_recovery_delay_s=settings.lost_bookie_recovery_delay_s,
        bookie_check_interval_s=settings.bookie_check_interval_s,
        ledger_check_interval_s=settings.ledger_check_interval_s,
        verification_percent=settings.ledger_verification_percent,
        check_rate_entries_per_s=settings.check_rate_entries_per_s,
        open_ledger_grace_ms=settings.open_ledger_grace_ms,
        retry_pause_ms=settings.repair_pause_ms,
        max_retry_pause_ms=settings.failed_ledger_pause_ms,
        copy_rate_bytes_per_s=max(0, settings.replication_rate_bytes_per_s),
        copy_batch_entries=settings.replication_batch_entries,
    )


def families(recovery: AutoRecovery) -> Iterator[Family]:
    """What it counts, names of BookKeeper's where it has the same thing."""
    auditor, worker = recovery.auditor, recovery.worker
    yield Family(
        "magnetar_auditor_leading",
        Kind.GAUGE,
        "1 while this process is the cluster's auditor.",
        [Sample({}, int(auditor.leading))],
    )
    for name, value, text in (
        ("auditor_NUM_UNDER_REPLICATED_LEDGERS_count", auditor.ledgers_marked, "Ledgers marked."),
        (
            "replication_worker_NUM_FULL_OR_PARTIAL_LEDGERS_REPLICATED",
            worker.counters.repaired,
            "Ledgers made whole.",
        ),
        ("magnetar_repairs_failed_total", worker.counters.failed, "Repairs to be tried again."),
        ("replication_worker_NUM_ENTRIES_WRITTEN", worker.entries_copied, "Entries copied."),
        ("magnetar_repair_bytes_total", worker.bytes_copied, "Bytes of these entries."),
    ):
        yield Family(name, Kind.COUNTER, text, [Sample({}, value)])


async def _start_web(
    stack: AsyncExitStack,
    settings: BookieServiceSettings,
    counters: Counters,
    clock: SystemClock,
) -> list[str]:
    if not settings.http_server_enabled:
        return []
    server = heartbeat_server(settings, counters, clock)
    await server.start()
    stack.push_async_callback(server.stop)
    return server.addresses
