"""Programs on machines of their own that use the ledger client: writers, recoverers, readers."""

import asyncio
import ssl as tls
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from random import Random
from typing import Any, Final

from magnetar_ledger.client import LedgerClient
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.connect import connect_with
from magnetar_ledger.errors import LedgerClosedError, LedgerError, NoSuchLedgerError
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_ledger.reader import LedgerReader
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.errors import MetadataError
from magnetar_metadata.sim_session import SimSession
from magnetar_runtime import sim
from magnetar_runtime.network import Listener, ProtocolFactory

from tests.sim.ledgers.history import History

PASSWORD: Final = b"secret"
CONFIG: Final = LedgerClientConfig(
    add_timeout_ms=2_000,
    unwritable_bookie_timeout_ms=500,
    read_timeout_ms=2_000,
    speculative_read_timeout_ms=500,
    quarantine_ms=3_000,
    recovery_batch_entries=8,
    recovery_pending_entries=16,
    max_ensemble_retry_pause_ms=4_000,
)
MAX_PENDING: Final = 60
MAX_PAUSE_S: Final = 0.15
MAX_ENTRIES: Final = 80
RESTART_S: Final = 1.0
SIZES: Final = (20, 20, 200, 1_500)


def network_config(rng: Random) -> BookieNetworkConfig:
    """Deadlines that fit into a run; the protocol is drawn."""
    return BookieNetworkConfig(
        use_v2_wire_protocol=rng.random() < 0.5,
        use_batch_reads=rng.random() < 0.5,
        connect_timeout_ms=1_000,
        request_timeout_ms=2_000,
    )


class _OwnNetwork:
    """A process's network: one that was killed connects no more."""

    def __init__(self, host: sim.SimHost) -> None:
        self._host = host
        self.alive = True

    async def listen(
        self,
        protocol_factory: ProtocolFactory,
        host: str | Sequence[str],
        port: int,
        ssl: tls.SSLContext | None = None,
    ) -> Listener:
        raise AssertionError("clients do not listen")

    async def connect(
        self,
        protocol_factory: ProtocolFactory,
        host: str,
        port: int,
        ssl: tls.SSLContext | None = None,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        if not self.alive:
            await asyncio.get_running_loop().create_future()
        return await self._host.connect(protocol_factory, host, port, ssl)


class Meters:
    """What the runs of clients came to.

    Attributes:
        recoveries: That ended with a closed ledger.
        re_adding: Writers of recoveries that have added an entry again.
        competing: Recoveries that met another one under way.
    """

    def __init__(self) -> None:
        self.recoveries = self.competing = 0
        self.re_adding: set[object] = set()
        self.under_way: dict[int, int] = defaultdict(int)


async def _nothing(_machine: "ClientMachine", _ledger_id: int) -> None:
    pass


class ClientMachine:
    """One process at a time on a node.

    Args:
        program: what a process does; it never ends.
        session: begins a metadata session of a process.

    Attributes:
        crashes: How many processes ended.
        wishes: Ledgers to recover.
        owned: The last ledgers that this node's writers have made.
        on_recovery: told of each ledger whose recovery begins, and waited for.
    """

    def __init__(
        self,
        world: sim.Simulation,
        name: str,
        session: Callable[[sim.Node], SimSession],
        history: History,
        meters: Meters,
        program: "Program",
    ) -> None:
        self.node = world.node(name)
        self.name = name
        self.rng = world.rng(f"client {name}")
        self.history = history
        self.meters = meters
        self.crashes = 0
        self.sessions: list[SimSession] = []
        self.wishes: deque[int] = deque()
        self.owned: list[int] = []
        self.on_recovery: Callable[[ClientMachine, int], Awaitable[None]] = _nothing
        self.writer: LedgerWriter | None = None
        self._loop = world.loop
        self._session = session
        self._program = program
        self._network = _OwnNetwork(self.node.network)
        self._task: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        return self._task is not None

    def start(self) -> None:
        """Begin a process if there is none."""
        if self._task is None:
            self.node.network.restart()
            self._network = _OwnNetwork(self.node.network)
            self.sessions.append(self._session(self.node))
            self._task = self._loop.create_task(self._run(), name=self.name)

    def kill(self, *, silently: bool) -> None:
        """End the process as `kill -9` does, or as a power cut."""
        if self._task is None:
            return
        self.crashes += 1
        self.node.network.fail(silently=silently)
        self._network.alive = False
        self.sessions[-1].abandon()
        if self.writer is not None:
            self.writer._stop(LedgerClosedError("the process was killed"))
            self.writer = None
        self._task.cancel()
        self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self._serve()
            except MetadataError:  # the store was away at the start: a real process ends
                await asyncio.sleep(RESTART_S)
            except Exception as error:  # noqa: BLE001 - a bug, in the product or here
                self._loop.fail(error)
                return

    async def _serve(self) -> None:
        async with connect_with(
            self.sessions[-1],
            config=CONFIG,
            network_config=network_config(self.rng),
            clock=self.node.clock,
            network=self._network,
            rng=self.node.rng,
        ) as client:
            await self._program(self, client)


Program = Callable[[ClientMachine, LedgerClient], Coroutine[Any, Any, None]]


class _Confirmations:
    """`WriterSink`: passes on what is told."""

    def __init__(self, history: History, ledger_id: int) -> None:
        self._history = history
        self._ledger_id = ledger_id
        self.count = 0
        self.error: LedgerError | None = None
        self.told = asyncio.Event()

    def entries_confirmed(self, first_entry_id: int, count: int) -> None:
        self.count += count
        self.told.set()
        self._history.confirmed(self._ledger_id, first_entry_id, count)

    def writer_failed(self, error: LedgerError) -> None:
        self.error = error
        self.told.set()


def writer(quorums: Sequence[tuple[int, int, int]]) -> Program:
    """Recovers the ledger of the process before, then writes one ledger after the other."""

    async def program(machine: ClientMachine, client: LedgerClient) -> None:
        if machine.owned:
            await recover(machine, client, machine.owned[-1])
        while True:
            await _write_ledger(machine, client, machine.rng.choice(quorums))

    return program


async def _write_ledger(
    machine: ClientMachine, client: LedgerClient, quorum: tuple[int, int, int]
) -> None:
    rng = machine.rng
    size, write_quorum, ack_quorum = quorum
    try:
        made = await client.create(
            ensemble_size=size,
            write_quorum=write_quorum,
            ack_quorum=ack_quorum,
            password=PASSWORD,
        )
    except LedgerError:
        await asyncio.sleep(0.1 + rng.random())
        return
    machine.owned.append(made.ledger_id)
    machine.writer = made
    made.sink = sink = _Confirmations(machine.history, made.ledger_id)
    await _append(machine, made, sink, rng.randrange(1, MAX_ENTRIES))
    try:
        await made.close()
    except LedgerError:
        if made.ledger_id in machine.history.open_ledgers:
            machine.wishes.append(made.ledger_id)
    else:
        machine.history.opened(made.ledger_id, made.metadata)
    machine.writer = None
    if machine.wishes:
        await recover(machine, client, machine.wishes.popleft())


async def _append(
    machine: ClientMachine, made: LedgerWriter, sink: _Confirmations, count: int
) -> None:
    """Add so many entries in runs, and wait for their end: in the end, or after each run."""
    rng, pushed = machine.rng, 0
    pending = 0 if rng.random() < 0.5 else MAX_PENDING
    while sink.error is None and pushed < count:
        payloads = [
            b"%d:%d " % (made.ledger_id, pushed + n) + rng.randbytes(rng.choice(SIZES))
            for n in range(rng.choice((1, 1, 2, 5)))
        ]
        try:
            first = made.add_all(payloads)
        except LedgerError:
            break
        machine.history.pushed(made.ledger_id, first, payloads)
        pushed += len(payloads)
        await asyncio.sleep(rng.random() * MAX_PAUSE_S)
        while sink.error is None and pushed - sink.count > pending:
            sink.told.clear()
            await sink.told.wait()
    if rng.random() < 0.7:
        while sink.error is None and sink.count < pushed:
            sink.told.clear()
            await sink.told.wait()


async def recoverer(machine: ClientMachine, client: LedgerClient) -> None:
    """Recovers what is wished for; else follows a ledger that is written."""
    while True:
        if machine.wishes:
            await recover(machine, client, machine.wishes.popleft())
            continue
        await asyncio.sleep(machine.rng.random() * 0.3)
        open_ledgers = machine.history.open_ledgers
        if open_ledgers and not machine.wishes:
            await _follow(machine, client, machine.rng.choice(open_ledgers))


async def recover(
    machine: ClientMachine, client: LedgerClient, ledger_id: int
) -> LedgerReader | None:
    """Recover a ledger and read some of it; None if that is not possible now."""
    meters = machine.meters
    meters.under_way[ledger_id] += 1
    meters.competing += meters.under_way[ledger_id] == 2
    try:
        await machine.on_recovery(machine, ledger_id)
        reader = await client.open(ledger_id, password=PASSWORD, recover=True)
    except LedgerError as error:
        if ledger_id in machine.owned and not isinstance(error, NoSuchLedgerError):
            machine.wishes.append(ledger_id)
        await asyncio.sleep(0.2)
        return None
    finally:
        meters.under_way[ledger_id] -= 1
    meters.recoveries += 1
    machine.history.opened(ledger_id, reader.metadata)
    await _read_some(machine, reader)
    return reader


async def _follow(machine: ClientMachine, client: LedgerClient, ledger_id: int) -> None:
    try:
        reader = await client.open(ledger_id, password=PASSWORD, recover=False)
        lac = -1
        for _ in range(machine.rng.randrange(1, 4)):
            seen = await reader.refresh()
            if seen < lac:
                machine.history.wrong(f"ledger {ledger_id}: LAC {seen} after {lac}")
            lac = seen
            machine.history.lac_seen(ledger_id, lac)
            await _read_some(machine, reader)
            await asyncio.sleep(machine.rng.random() * 0.2)
    except LedgerError:
        await asyncio.sleep(0.2)


async def _read_some(machine: ClientMachine, reader: LedgerReader) -> None:
    """From a drawn entry on."""
    if reader.last_add_confirmed < 0:
        return
    first = machine.rng.randrange(reader.last_add_confirmed + 1)
    try:
        payloads = await reader.read(first, 20, 10_000)
    except LedgerError:
        return  # a bookie is down or cut off; whether all can be read is asked in the end
    machine.history.entries_read(reader.ledger_id, first, payloads)
