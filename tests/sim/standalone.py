"""A standalone on a simulated machine: broker, bookie and metadata store over one disk.

Put together as `magnetar_cli.standalone` does it, without HTTP and the watch of the disk's room.
"""

from functools import partial
from random import Random

from magnetar_broker.config import BrokerConfig
from magnetar_broker.service import BrokerDeps, BrokerService, LedgerFactory
from magnetar_ledger.bookie_pool import LocalBookies
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.managed import (
    EntryCacheManager,
    LedgerPolicies,
    ManagedLedger,
    ManagedLedgerConfig,
    ManagedLedgerDeps,
)
from magnetar_ledger.placement import RandomPlacement
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.managed_ledger_info import ManagedLedgerRegistry
from magnetar_metadata.sim_store import SimStore
from magnetar_runtime import sim
from magnetar_runtime.scope import TaskScope, periodically
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

GARBAGE_INTERVAL_MS = 1_000

LEDGERS = ManagedLedgerConfig(min_ledger_age_ms=0, max_entries_per_ledger=50)


class NoLock:
    """One process at a time has the simulated disk."""

    def release(self) -> None:
        """Nothing is held."""


class Process:
    """One life of a standalone, on a disk that is its own from `kill` on.

    Args:
        on_failure: told of what ends the process, as `magnetar` would by its exit code.
    """

    def __init__(
        self,
        node: sim.Node,
        loop: sim.SimLoop,
        disk: SimDisk,
        rng: Random,
        name: str,
        config: BrokerConfig | None = None,
    ) -> None:
        self.disk = disk
        self._node = node
        self._loop = loop
        self._rng = rng
        self._name = name
        self._config = config or BrokerConfig()
        self._workers: list[SimWorker] = []
        disk.make_directories("drive")
        self._store = SimStore.on(disk, "drive/metadata.sqlite", node.clock, self._worker())
        self._scope = TaskScope(loop.fail)
        self._bookie: BookieEngine
        self._service: BrokerService

    async def start(self) -> None:
        """Begin on what the disk has, and listen."""
        self._bookie = await self._open_bookie()
        registry = LedgerRegistry(self._store)
        deps = BrokerDeps(self._store, self._ledgers(registry), self._node.clock)
        self._service = BrokerService(self._config, deps, self._scope)
        await self._service.start()
        collect = partial(self._bookie.collect_garbage, registry)
        periodically(self._scope, GARBAGE_INTERVAL_MS, collect, "garbage")
        await self._node.network.listen(self._service.new_connection, self._name, 6650)

    @property
    def is_loading(self) -> bool:
        """Whether it is about to open a topic."""
        return bool(self._service.topics._loading)

    def freeze(self) -> None:
        """Let the disk answer no more: whatever the process still does reaches nobody."""
        for worker in self._workers:
            worker.stuck = True

    def thaw(self) -> None:
        """Let the disk answer again."""
        for worker in self._workers:
            worker.stuck = False

    async def stop(self) -> None:
        """End it as a service does that is told to stop."""
        await self._service.stop()
        await self._scope.close()
        await self._bookie.close()
        await self._store.close()

    def _ledgers(self, registry: LedgerRegistry) -> LedgerFactory:
        bookie_id = self._bookie.bookie_id

        async def writable() -> list[str]:
            return [bookie_id]

        client = LedgerClient(
            registry,
            LocalBookies({bookie_id: self._bookie}),
            RandomPlacement(writable),
            self._node.rng,
            self._node.clock,
            self._scope,
        )
        infos = ManagedLedgerRegistry(self._store)
        deps = ManagedLedgerDeps(client, infos, self._node.clock, LEDGERS, EntryCacheManager())

        async def open_ledger(
            name: str, *, create: bool, policies: LedgerPolicies | None = None
        ) -> ManagedLedger:
            return await ManagedLedger.open(name, deps, create, policies)

        return open_ledger

    async def _open_bookie(self) -> BookieEngine:
        return await BookieEngine.open(
            BOOKIE,
            self.disk,
            BookieWorkers(self._worker(), self._worker(), [self._worker()]),
            self._node.clock,
            self._node.rng,
            self._loop,
            open_index=lambda directory, _map_bytes: SimIndex(self.disk, directory),
            lock=lambda _directory: NoLock(),
            on_failure=self._loop.fail,
        )

    def _worker(self) -> SimWorker:
        rng = Random(self._rng.random())
        self._workers.append(SimWorker(self._loop, rng))
        return self._workers[-1]


class Standalone:
    """One process at a time on the node `broker`; its disk outlives it.

    A process that is killed goes on as a ghost: neither its network nor its disk does anything for
    it, and the next one has a disk of its own. In the end the ghosts' disks answer again, and each
    must still stop.
    """

    def __init__(self, world: sim.Simulation, config: BrokerConfig | None = None) -> None:
        self._world = world
        self._config = config
        self._node = world.node("broker")
        self._rng = world.rng("disk")
        self._disk = SimDisk()
        self._process: Process
        self._ghosts: list[Process] = []
        self.brokers = 0

    async def start(self) -> None:
        """Begin a process on what the disk has."""
        self.brokers += 1
        self._process = Process(
            self._node, self._world.loop, self._disk, self._rng, "broker", self._config
        )
        await self._process.start()

    @property
    def is_loading(self) -> bool:
        """Whether the process is about to open a topic."""
        return self._process.is_loading

    async def kill(self, *, silently: bool) -> None:
        """End the process as `kill -9` does, or as a power cut, which the disk suffers too."""
        self._node.network.fail(silently=silently)
        self._process.freeze()
        self._ghosts.append(self._process)
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
        """Stop the last process, and lay the ghosts."""
        await self._process.stop()
        for ghost in self._ghosts:
            ghost.thaw()
            await ghost.stop()
