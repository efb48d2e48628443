"""A broker in this process: its service on ledgers and metadata, and where it listens."""

from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from magnetar_broker.config import BrokerConfig
from magnetar_broker.http.api import add_routes
from magnetar_broker.metrics.families import families as broker_families
from magnetar_broker.service import BrokerDeps, BrokerService, LedgerFactory
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.managed.config import LedgerPolicies, ManagedLedgerConfig, ManagedLedgerDeps
from magnetar_ledger.managed.entry_cache import EntryCacheManager
from magnetar_ledger.managed.managed_ledger import ManagedLedger
from magnetar_metadata.managed_ledger_info import ManagedLedgerRegistry
from magnetar_metadata.session_bound import SessionBoundStore
from magnetar_metadata.store import MetadataStore
from magnetar_runtime.clock import Clock, SystemClock
from magnetar_runtime.counters import Counters
from magnetar_runtime.http import HttpServer
from magnetar_runtime.network import SystemNetwork
from magnetar_runtime.process_usage import families as process_families
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.settings import ServiceSettings


async def start_broker(
    stack: AsyncExitStack,
    settings: ServiceSettings,
    deps: BrokerDeps,
    scope: TaskScope,
    counters: Counters,
) -> BrokerService:
    """The broker's service, stopped with the stack. Raises MetadataError."""
    broker = BrokerService(BrokerConfig.of(settings), deps, scope)
    stack.push_async_callback(broker.stop)
    await broker.start()
    counters.add_source(partial(broker_families, broker))
    counters.add_source(partial(process_families, {"cluster": settings.cluster_name}))
    return broker


def ledger_factory(
    config: ManagedLedgerConfig,
    cache_mb: int,
    store: MetadataStore,
    client: LedgerClient,
    clock: Clock,
    *,
    of_session: bool = False,
) -> LedgerFactory:
    """Opens managed ledgers; all of them share a cache of so many mebibytes.

    Args:
        of_session: a ledger is written only as long as the store's session in which it was opened
            lasts: another broker may have it after that.
    """
    deps = ManagedLedgerDeps(
        client=client,
        registry=ManagedLedgerRegistry(store),
        clock=clock,
        config=config,
        cache=EntryCacheManager(cache_mb << 20),
    )

    async def open_ledger(
        name: str, *, create: bool, policies: LedgerPolicies | None = None
    ) -> ManagedLedger:
        if not of_session:
            return await ManagedLedger.open(name, deps, create, policies)
        registry = ManagedLedgerRegistry(SessionBoundStore(store))
        return await ManagedLedger.open(name, replace(deps, registry=registry), create, policies)

    return open_ledger


async def listen(
    stack: AsyncExitStack, settings: ServiceSettings, broker: BrokerService
) -> list[str]:
    """Serve the binary protocol; returns where. Raises OSError."""
    if settings.broker_service_port is None:
        return []
    listener = await SystemNetwork().listen(
        broker.new_connection, settings.listen_hosts, settings.broker_service_port
    )
    stack.callback(listener.close)
    return listener.addresses


async def start_web(
    stack: AsyncExitStack,
    settings: ServiceSettings,
    broker: BrokerService,
    counters: Counters,
    clock: SystemClock,
) -> list[str]:
    """Serve HTTP; returns where. Raises OSError."""
    if settings.web_service_port is None:
        return []
    server = HttpServer(
        settings.listen_hosts,
        settings.web_service_port,
        counters=counters,
        clock=clock,
        allowed_origins=settings.http_allowed_origins,
        max_body_bytes=max(2 * settings.max_message_bytes, 1 << 20),
        host_names=(settings.advertised_address,),
    )
    add_routes(server.application, broker)
    await server.start()
    stack.push_async_callback(server.stop)
    return server.addresses
