"""A broker of a cluster: metadata in ZooKeeper, ledgers on bookies over the network."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from magnetar_broker.service import BrokerDeps
from magnetar_ledger.connect import connect_with
from magnetar_ledger.managed.config import ManagedLedgerConfig
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.counters import Counters
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.settings_service import BrokerServiceSettings
from magnetar_runtime.tls import client_context

from magnetar_cli.bookie_parts import measure_pauses
from magnetar_cli.broker_parts import (
    ledger_factory,
    listen,
    start_broker,
    start_web,
)
from magnetar_cli.broker_stores import broker_stores, open_cluster_store
from magnetar_cli.cluster_options import cluster_options
from magnetar_cli.serve import OnFailure, Ready, Serving, run_service, service_urls
from magnetar_cli.standalone_config import managed_ledger_config


def run_broker(settings: BrokerServiceSettings, began_ns: int, ready: Ready) -> None:
    """As `run_service`.

    Raises:
        WrongSettingsError: what is configured names no metadata store that can be used.
    """
    broker_stores(settings)

    @asynccontextmanager
    async def opening(
        failed: OnFailure, before_serving: Callable[[], None]
    ) -> AsyncIterator[Serving]:
        async with open_broker(settings, failed, before_serving) as serving:
            yield serving

    run_service("broker", opening, began_ns, ready)


@asynccontextmanager
async def open_broker(
    settings: BrokerServiceSettings,
    on_failure: OnFailure,
    before_serving: Callable[[], None] = lambda: None,
) -> AsyncIterator[Serving]:
    """A running broker; left, it has closed its topics and persisted its cursors.

    Args:
        before_serving: called when all is open but nobody can connect yet.
        on_failure: told when this process is of no use any more: a bug ended its work. The end of
            its session with ZooKeeper costs it its topics, and it goes on with the next.

    Raises:
        ConfError: a certificate cannot be used, or advertisedListeners or internalListenerName say
            nothing.
        WrongSettingsError: see `broker_stores`.
        MetadataError, OSError: there is no cluster, it cannot reach its metadata, another broker of
            its address is there, or a port is taken.
    """
    clock = SystemClock()
    if not settings.advertised_address:
        settings = replace(settings, advertised_address=socket.gethostname())
    stores = broker_stores(settings)
    url, ledgers_root = stores.url, stores.ledgers_root
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            open_cluster_store(
                url,
                ledgers_root,
                clock,
                session_timeout_ms=settings.metadata_session_timeout_ms,
            )
        )
        client = await stack.enter_async_context(
            connect_with(
                store,
                ledgers_root=ledgers_root,
                network_config=_network(settings),
                clock=clock,
                on_failure=on_failure,
            )
        )
        counters = Counters()
        background = TaskScope(on_failure)
        stack.push_async_callback(background.close)
        config, cache_mb = _ledger_config(settings), settings.managed_ledger_cache_mb
        open_ledger = ledger_factory(config, cache_mb, store, client, clock, of_session=True)
        deps = BrokerDeps(store, open_ledger, clock, cluster=cluster_options(settings, clock))
        broker = await start_broker(stack, settings, deps, background, counters)
        assert broker.cluster is not None
        before_serving()
        measure_pauses(stack, clock, counters)
        addresses = (
            await listen(stack, settings, broker),
            await start_web(stack, settings, broker, counters, clock),
        )
        # Clients are sent here from now on, and no more before the sockets are closed.
        await broker.cluster.start()
        stack.push_async_callback(broker.cluster.leave)
        urls = service_urls(settings.advertised_address, *addresses)
        listening = sorted({*addresses[0], *addresses[1]})
        yield Serving(urls, listening, {"metadata": str(url)})


def _network(settings: BrokerServiceSettings) -> BookieNetworkConfig:
    """How bookies are spoken to."""
    tls = client_context(settings.bookies_tls_files) if settings.bookies_tls else None
    return BookieNetworkConfig(use_v2_wire_protocol=settings.use_v2_wire_protocol, tls=tls)


def _ledger_config(settings: BrokerServiceSettings) -> ManagedLedgerConfig:
    return replace(
        managed_ledger_config(settings),
        ensemble_size=settings.ensemble_size,
        write_quorum=settings.write_quorum,
        ack_quorum=settings.ack_quorum,
    )
