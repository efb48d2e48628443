"""A broker service over a memory store and ledgers that tests end by hand."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.ownership.cluster_member import ClusterOptions
from magnetar_broker.service import BrokerDeps, BrokerService
from magnetar_ledger.managed import LedgerPolicies
from magnetar_metadata.managed_ledger_info import ManagedLedgerInfo, ManagedLedgerRegistry
from magnetar_metadata.memory import MemoryStore
from magnetar_runtime.scope import TaskScope

from tests.broker.client import Client
from tests.broker.fake_ledger import FakeLedger


class FakeClock:
    """Time that tests move."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ms(self) -> int:
        return 1_700_000_000_000 + self.now_ns // 1_000_000


class Broker:
    """A started service, its ledgers, and clients of it."""

    def __init__(
        self,
        config: BrokerConfig,
        scope: TaskScope,
        store: MemoryStore | None = None,
        cluster: ClusterOptions | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock) if store is None else store
        self.registry = ManagedLedgerRegistry(self.store)
        self.ledgers: dict[str, FakeLedger] = {}
        self.opened: list[str] = []
        self.properties: dict[str, str] = {}  # of ledgers that are opened from now on
        self.before_open: Callable[[], Awaitable[None]] | None = None
        self.storage_full = False
        deps = BrokerDeps(
            store=self.store,
            open_ledger=self._open,
            clock=self.clock,
            takes_entries=lambda: not self.storage_full,
            cluster=cluster,
        )
        self.service = BrokerService(config, deps, scope)

    async def _open(
        self, name: str, *, create: bool, policies: LedgerPolicies | None = None
    ) -> Any:
        self.opened.append(name)
        if self.before_open is not None:
            await self.before_open()
        if await self.registry.read(name) is None:
            await self.registry.create(name, ManagedLedgerInfo())
        ledger = FakeLedger(name, ledger_id=len(self.opened))
        ledger.policies = policies
        ledger.properties |= self.properties
        ledger.delete = self._deleter(name, ledger)  # type: ignore[method-assign]
        self.ledgers[name] = ledger
        return ledger

    def _deleter(self, name: str, ledger: FakeLedger) -> Callable[[], Any]:
        async def delete() -> None:
            ledger.deleted = True
            await self.registry.delete(name)

        return delete

    def ledger(self, local_name: str) -> FakeLedger:
        """The ledger of a topic in the default namespace."""
        return self.ledgers[f"public/default/persistent/{local_name}"]

    def new_client(self, port: int = 50_000, host: str = "127.0.0.1") -> Client:
        return Client(self.service.new_connection, (host, port))

    async def client(self, port: int = 50_000) -> Client:
        """A client behind its handshake."""
        client = self.new_client(port)
        await client.connect()
        return client


StartBroker = Callable[..., Awaitable[Broker]]


@pytest.fixture
async def start_broker() -> AsyncIterator[StartBroker]:
    """Starts brokers with a configuration of the test's."""
    scope = TaskScope()
    brokers: list[Broker] = []

    async def start(config: BrokerConfig | None = None) -> Broker:
        broker = Broker(config or BrokerConfig(), scope)
        await broker.service.start()
        brokers.append(broker)
        return broker

    yield start
    for broker in brokers:
        await broker.service.stop()
    await scope.close()


@pytest.fixture
async def broker(start_broker: StartBroker) -> Broker:
    """A broker with the usual configuration."""
    return await start_broker()
