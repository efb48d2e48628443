"""A machine with a bookie on it: engine and service of the product, disk and network simulated.

Put together as `magnetar_cli.bookie` does it, without cookies, HTTP and the watch of the disk's
room.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from magnetar_metadata.bookie_registration import BookieRegistration
from magnetar_metadata.bookie_registry import BookieEndpoint, BookieServiceInfo
from magnetar_metadata.errors import MetadataError
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.sim_session import SimSession
from magnetar_proto.bookie import FENCE, RECOVERY_ADD, AddSink, ReadSink, Status
from magnetar_runtime import sim
from magnetar_runtime.scope import TaskScope, periodically
from magnetar_runtime.sim import Fault, LossPolicy, SimDisk, SimWorker, WorkerShape
from magnetar_storage.engine import BookieEngine
from magnetar_storage.errors import StorageError
from magnetar_storage.integrity import IntegrityCheck
from magnetar_storage.parts import BookieWorkers
from magnetar_storage.service.limits import ServiceLimits
from magnetar_storage.service.server import BookieServer
from magnetar_storage.sim_index import SimIndex

from tests.sim.bookie_world import Layout, NoLock
from tests.sim.ledgers.history import History

PORT = 3181
SESSION_TIMEOUT_S = 4.0
UPKEEP_INTERVAL_MS = 4_000
RETRY_S = 1.0
SETTINGS = {"flush_interval_ms": 1_000, "write_cache_bytes": 24 << 10}
"""Besides those of `bookie_world`: halves flush while things break."""

_ANSWERED = (Status.OK, Status.NO_ENTRY, Status.NO_LEDGER)


class WatchedBookie:
    """Stands between service and engine, and sees whether a fence that was told holds."""

    def __init__(self, engine: BookieEngine, name: str, history: History) -> None:
        self._engine = engine
        self._name = name
        self._history = history

    def add(
        self,
        ledger_id: int,
        entry_ids: Sequence[int],
        master_key: bytes,
        headers: Sequence[bytes],
        payloads: Sequence[bytes],
        flags: int,
        sink: AddSink,
    ) -> None:
        recovers = bool(flags & RECOVERY_ADD)
        if recovers and self._history.on_request(self._name, ledger_id, flags):
            return
        if not recovers and (self._name, ledger_id) in self._history.fenced:
            sink = _FencedSink(self._name, ledger_id, self._history, sink)
        self._engine.add(ledger_id, entry_ids, master_key, headers, payloads, flags, sink)

    def read(
        self,
        ledger_id: int,
        first_entry_id: int,
        max_entries: int,
        max_bytes: int,
        flags: int,
        master_key: bytes,
        sink: ReadSink,
        context: int,
    ) -> None:
        if self._history.on_request(self._name, ledger_id, flags):
            return
        if flags & FENCE:
            sink = _FenceSink(self._name, ledger_id, self._history, sink)
        self._engine.read(
            ledger_id, first_entry_id, max_entries, max_bytes, flags, master_key, sink, context
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


@dataclass(slots=True)
class _FencedSink:
    """Of an ordinary add that came when the fence had been told."""

    bookie_id: str
    ledger_id: int
    history: History
    sink: AddSink

    def adds_completed(self, entry_ids: Sequence[int], status: Status) -> None:
        if status is Status.OK:
            self.history.wrong(f"{self.bookie_id} took {self.ledger_id}:{entry_ids[0]}, fenced")
        self.sink.adds_completed(entry_ids, status)


@dataclass(slots=True)
class _FenceSink:
    """Of a read that fences."""

    bookie_id: str
    ledger_id: int
    history: History
    sink: ReadSink

    def read_completed(
        self, context: int, status: Status, first_entry_id: int, entries: Sequence[bytes]
    ) -> None:
        if status in _ANSWERED:
            self.history.fence_told(self.bookie_id, self.ledger_id)
        self.sink.read_completed(context, status, first_entry_id, entries)


class Process:
    """One life of a bookie, on a disk that is its own from `kill` on.

    When it has been killed nothing of it has an effect: its disk and its session do not answer.
    """

    def __init__(
        self,
        node: sim.Node,
        loop: sim.SimLoop,
        disk: SimDisk,
        session: SimSession,
        history: History,
        layout: Layout,
        rng: Random,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.disk = disk
        self.session = session
        self.workers: list[SimWorker] = []
        self._node = node
        self._loop = loop
        self._history = history
        self._layout = layout
        self._rng = rng
        self._on_failure = on_failure
        self._scope = TaskScope(loop.fail)
        self.engine: BookieEngine
        self.killed = self.serving = False

    @property
    def failed(self) -> bool:
        """Whether a directory of it is out of use."""
        return self.serving and (
            any(journal.failed for journal in self.engine.journals.all)
            or any(engine.failure is not None for engine in self.engine.engines)
        )

    async def run(self) -> None:
        """Begin on what the disk has, listen, and register.

        Raises:
            OSError, StorageError: the disk failed.
        """
        self.disk.make_directories("drive")
        self.engine = await self._open_engine()
        watched = WatchedBookie(self.engine, self._node.name, self._history)
        server = BookieServer(watched, self._loop, ServiceLimits(), lambda: None)
        await server.listen(self._node.network, [self._node.name], PORT)
        self.serving = True
        self._keep_up()
        await self._register()

    def kill(self) -> None:
        """Cut it off."""
        self.killed = True
        for worker in self.workers:
            worker.stuck = True
        self.session.abandon()

    def reshape(self, shape: WorkerShape) -> None:
        """Make the disk slow, or quick again."""
        for worker in self.workers:
            worker._shape = shape

    async def _open_engine(self) -> BookieEngine:
        journals, storages = ([self._worker() for _ in range(2)] for _ in range(2))
        config = self._layout.config(**SETTINGS)
        return await BookieEngine.open(
            replace(config, bookie_id=self._node.name),
            self.disk,
            BookieWorkers(journals[0], storages[0], [self._worker()], journals[1:], storages[1:]),
            self._node.clock,
            self._node.rng,
            self._loop,
            open_index=lambda directory, _map_bytes: SimIndex(self.disk, directory),
            lock=lambda _directory: NoLock(),
            on_failure=self._on_failure,
        )

    def _keep_up(self) -> None:
        registry = LedgerRegistry(self.session)
        check = IntegrityCheck(self.engine, registry)

        async def collect() -> None:
            await _tried(self.engine.collect_garbage(registry))

        async def certify() -> None:
            await _tried(check.run())

        periodically(self._scope, UPKEEP_INTERVAL_MS, collect, "garbage")
        periodically(self._scope, UPKEEP_INTERVAL_MS, certify, "integrity")

    async def _register(self) -> None:
        info = BookieServiceInfo((BookieEndpoint("bookie", self._node.name, PORT),))
        registration = BookieRegistration(
            self.session,
            self._node.name,
            info,
            session_timeout_ms=round(SESSION_TIMEOUT_S * 1000),
        )
        while True:
            try:
                await registration.start()
            except MetadataError:  # a real process ends, and is started again
                await asyncio.sleep(RETRY_S)
            else:
                return

    def _worker(self) -> SimWorker:
        self.workers.append(SimWorker(self._loop, Random(self._rng.random())))
        return self.workers[-1]


async def _tried(work: Awaitable[None]) -> None:
    """As `magnetar_cli.bookie_parts`: what fails is tried again later."""
    with suppress(StorageError, MetadataError):
        await work


class BookieMachine:
    """One process at a time on a node; the disk outlives it.

    Args:
        session: begins a metadata session of a process.

    Attributes:
        crashes: How many processes ended.
    """

    def __init__(
        self,
        world: sim.Simulation,
        name: str,
        session: Callable[[sim.Node], SimSession],
        history: History,
        layout: Layout,
    ) -> None:
        self.name = name
        self.node = world.node(name)
        self.crashes = 0
        self.process: Process | None = None
        self.sessions: list[SimSession] = []
        self._world = world
        self._session = session
        self._history = history
        self._layout = layout
        self._rng = world.rng(f"bookie {name}")
        self._disk = SimDisk()
        self._ghosts: list[Process] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin a process if there is none."""
        if self.process is not None:
            return
        self.node.network.restart()
        session = self._session(self.node)
        self.sessions.append(session)
        process = Process(
            self.node,
            self._world.loop,
            self._disk,
            session,
            self._history,
            self._layout,
            self._rng,
            lambda _error: self._ended(process),
        )
        self.process = process
        self._task = self._world.loop.create_task(self._run(process), name=f"bookie {self.name}")

    def kill(self, *, silently: bool) -> None:
        """End the process as `kill -9` does, or as a power cut, which the disk suffers too."""
        if self.process is None:
            return
        self.crashes += 1
        self.node.network.fail(silently=silently)
        self.process.kill()
        self._ghosts.append(self.process)
        self.process = None
        if silently:
            self._disk = self._disk.crashed(self._rng.choice(list(LossPolicy)), self._rng)
        else:
            self._disk = self._disk.fork()

    def lay_ghosts(self) -> None:
        """Let disks of processes that were killed answer, so that their tasks can be cancelled."""
        for process in self._ghosts:
            for worker in process.workers:
                worker.stuck = False

    @property
    def serving(self) -> bool:
        """Whether a process of it listens."""
        return self.process is not None and self.process.serving

    @property
    def disk(self) -> SimDisk:
        """The disk as it is now; its faults go with the process."""
        return self._disk

    def flip_entry_log(self) -> bool:
        """Turn over a bit of an entry log; False if there is nothing to turn over."""
        directory = "drive/ledgers0/entries"
        names = [name for name in self._disk.names(directory) if name.endswith(".log")]
        if not names:
            return False
        path = f"{directory}/{self._rng.choice(names)}"
        size = self._disk._inodes[self._disk._number(path)].durable.size
        if not size:
            return False
        self._disk.flip(path, self._rng.randrange(size), 1 << self._rng.randrange(8))
        return True

    def add_fault(self, fault: Fault) -> None:
        """Let the disk of this process fail."""
        self._disk.faults.append(fault)

    async def _run(self, process: Process) -> None:
        try:
            await process.run()
        except (OSError, StorageError):
            self._ended(process)
        except Exception as error:  # noqa: BLE001 - a bug, in the product or here
            self._world.loop.fail(error)

    def _ended(self, process: Process) -> None:
        """The process has ended by itself, as its disk failed; it is started again."""
        if self.process is not process:
            return
        self.kill(silently=False)
        self._world.loop.call_later(RETRY_S * self._rng.random(), self.start)
