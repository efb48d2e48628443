"""A standalone on a simulated machine: broker, bookie and metadata store over one disk.

Put together as `magnetar_cli.standalone` does it, without HTTP and the watch of the disk's room.
"""

from random import Random

from magnetar_broker.config import BrokerConfig
from magnetar_broker.service import BrokerDeps, BrokerService
from magnetar_ledger.bookie_pool import LocalBookies
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.managed import (
    EntryCacheManager,
    ManagedLedger,
    ManagedLedgerConfig,
    ManagedLedgerDeps,
)
from magnetar_ledger.placement import RandomPlacement
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.managed_ledger_info import ManagedLedgerRegistry
from magnetar_metadata.sim_store import SimStore
from magnetar_runtime import sim
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.sim import LossPolicy, SimDisk, SimWorker
from magnetar_storage.config import BookieConfig
from magnetar_storage.engine import BookieEngine
from magnetar_storage.parts import BookieWorkers
from magnetar_storage.sim_index import SimIndex

BOOKIE = BookieConfig(
    ledger_directories=("drive/ledgers",),
    journal_directories=("drive/journal",),
    journal_file_bytes=64 << 10,
    journal_spare_files=1,
    write_cache_bytes=16 << 10,
    read_cache_bytes=8 << 10,
    entry_log_bytes=32 << 10,
    flush_interval_ms=500,
)
"""Everything small, so that files roll and halves flush within a few hundred messages."""

LEDGERS = ManagedLedgerConfig(min_ledger_age_ms=0, max_entries_per_ledger=50)


class NoLock:
    """One process at a time has the simulated disk."""

    def release(self) -> None:
        """Nothing is held."""


class Standalone:
    """One process at a time on the node `broker`; its disk outlives it.

    A process that is killed goes on as a ghost: neither its network nor its disk does anything for
    it, and the next one has a disk of its own.
    """

    def __init__(self, world: sim.Simulation) -> None:
        self._world = world
        self._node = world.node("broker")
        self._rng = world.rng("disk")
        self._disk = SimDisk()
        self._workers: list[SimWorker] = []
        self._scope = TaskScope()
        self.brokers = 0

    async def start(self) -> None:
        """Begin a process on what the disk has."""
        self.brokers += 1
        self._workers = []
        store = SimStore.on(self._disk, "drive/metadata", self._node.clock, self._worker())
        self._bookie = bookie = await self._open_bookie()
        self._store = store
        self._scope = TaskScope(self._world.loop.fail)
        client = LedgerClient(
            LedgerRegistry(store),
            LocalBookies({bookie.bookie_id: bookie}),
            RandomPlacement(self._writable),
            self._node.rng,
            self._node.clock,
            self._scope,
        )
        deps = ManagedLedgerDeps(
            client, ManagedLedgerRegistry(store), self._node.clock, LEDGERS, EntryCacheManager()
        )

        async def open_ledger(name: str, *, create: bool) -> ManagedLedger:
            return await ManagedLedger.open(name, deps, create)

        broker_deps = BrokerDeps(store, open_ledger, self._node.clock)
        self._service = BrokerService(BrokerConfig(), broker_deps, self._scope)
        await self._service.start()
        await self._node.network.listen(self._service.new_connection, "broker", 6650)

    async def kill(self, *, silently: bool) -> None:
        """End the process as `kill -9` does, or as a power cut, which the disk suffers too."""
        self._node.network.fail(silently=silently)
        for worker in self._workers:
            worker.stuck = True
        if silently:
            policy = self._rng.choice(list(LossPolicy))
            self._disk = self._disk.crashed(policy, self._rng)
        else:
            self._disk = self._disk.fork()

    async def restart(self) -> None:
        """Begin the next process."""
        self._node.network.restart()
        await self.start()

    async def stop(self) -> None:
        await self._service.stop()
        await self._scope.close()
        await self._bookie.close()
        await self._store.close()

    async def _writable(self) -> list[str]:
        return [self._bookie.bookie_id]

    async def _open_bookie(self) -> BookieEngine:
        disk = self._disk
        return await BookieEngine.open(
            BOOKIE,
            disk,
            BookieWorkers(self._worker(), self._worker(), [self._worker()]),
            self._node.clock,
            self._node.rng,
            self._world.loop,
            open_index=lambda path, _map_bytes: SimIndex(disk, path),
            lock=lambda _directory: NoLock(),
            on_failure=self._world.loop.fail,
        )

    def _worker(self) -> SimWorker:
        rng = Random(self._node.rng.random())
        self._workers.append(SimWorker(self._world.loop, rng))
        return self._workers[-1]
