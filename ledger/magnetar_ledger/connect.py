"""A ledger client on a cluster, by the address of its metadata."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from magnetar_metadata.bookie_racks import BookieRacks
from magnetar_metadata.bookie_registry import BookieRegistry
from magnetar_metadata.ledger_layout import settle_layout
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.metadata_url import open_store, parse_metadata_url
from magnetar_metadata.store import MetadataStore
from magnetar_runtime.clock import Clock, SystemClock
from magnetar_runtime.network import Network, SystemNetwork
from magnetar_runtime.scope import TaskScope

from magnetar_ledger.bookie_health import BookieHealth
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.network import BookieNetworkConfig, NetworkBookies
from magnetar_ledger.placement import RackAwarePlacement


@asynccontextmanager
async def connect(
    metadata_url: str,
    *,
    config: LedgerClientConfig | None = None,
    network_config: BookieNetworkConfig | None = None,
) -> AsyncIterator[LedgerClient]:
    """A client of the bookies that are registered in a metadata store; left, it is closed.

    Close writers before. A program that wants its own nodes in the store opens the store itself
    and calls `connect_with`.

    Args:
        metadata_url: `zk:HOST:PORT`, or `zk+hierarchical://HOST:PORT/LEDGERS`.

    Raises:
        WrongUrlError, StoreUnreachableError: of `magnetar_metadata.errors`.
        UnknownLayoutError: other clients of this cluster keep the metadata of ledgers elsewhere.
    """
    clock, url = SystemClock(), parse_metadata_url(metadata_url)
    async with (
        open_store(url, clock) as store,
        connect_with(
            store,
            ledgers_root=url.ledgers_root,
            config=config,
            network_config=network_config,
            clock=clock,
        ) as client,
    ):
        yield client


@asynccontextmanager
async def connect_with(
    store: MetadataStore,
    *,
    ledgers_root: str = LEDGERS_ROOT,
    config: LedgerClientConfig | None = None,
    network_config: BookieNetworkConfig | None = None,
    clock: Clock | None = None,
    network: Network | None = None,
    rng: random.Random | None = None,
    on_failure: Callable[[BaseException], None] | None = None,
) -> AsyncIterator[LedgerClient]:
    """As `connect`, on a store that is open. In a simulation clock, network and rng are its own.

    Args:
        on_failure: told of a bug that has ended the client's work: its writers end with an error,
            and it is of no use any more. Told or not, the error is raised when the block is left.
    """
    async with connect_tools(
        store,
        ledgers_root=ledgers_root,
        config=config,
        network_config=network_config,
        clock=clock,
        network=network,
        rng=rng,
        on_failure=on_failure,
    ) as tools:
        yield LedgerClient.with_tools(tools)


@asynccontextmanager
async def connect_tools(
    store: MetadataStore,
    *,
    ledgers_root: str = LEDGERS_ROOT,
    config: LedgerClientConfig | None = None,
    network_config: BookieNetworkConfig | None = None,
    clock: Clock | None = None,
    network: Network | None = None,
    rng: random.Random | None = None,
    on_failure: Callable[[BaseException], None] | None = None,
) -> AsyncIterator[ClientTools]:
    """What a client works with, for those that repair ledgers; else as `connect_with`."""
    await settle_layout(store, ledgers_root)

    def failed(error: BaseException) -> None:
        # What is under way ends now, not with its timeout: nobody is there who would go on with it.
        pool.close()
        if on_failure is not None:
            on_failure(error)

    scope, bookies = TaskScope(failed), BookieRegistry(store, ledgers_root)
    pool = NetworkBookies(bookies.service_info, network or SystemNetwork(), scope, network_config)
    config = config or LedgerClientConfig()
    try:
        yield ClientTools(
            LedgerRegistry(store, ledgers_root),
            pool,
            RackAwarePlacement(bookies.writable, BookieRacks(store).racks),
            rng or random.Random(),
            clock or SystemClock(),
            scope,
            config,
            BookieHealth(config),
        )
    finally:
        pool.close()
        await scope.close()
