"""The network client in the simulated network: whole ledgers, and what befalls connections."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.errors import LedgerFencedError
from magnetar_ledger.network import BookieNetworkConfig, NetworkBookies
from magnetar_ledger.network.network_bookie import NetworkBookie
from magnetar_ledger.placement import RandomPlacement
from magnetar_metadata.bookie_registry import BookieEndpoint, BookieServiceInfo
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.memory import MemoryStore
from magnetar_proto.bookie import FENCE, LAST_ENTRY, Status
from magnetar_proto.bookkeeper.requests import BatchReadRequest, ReadRequest
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.sim import CALM, Simulation
from magnetar_runtime.sim import run as run_simulation

from tests.ledger.cluster import Confirmed, payload
from tests.ledger.fake_bookie import FakeBookie
from tests.ledger.network.wire_server import WireServer
from tests.proto.bookie_contract import KEY, LEDGER, MAX_BYTES, Adds, Reads, add, entry_of

PORT = 3181


class World:
    """Bookies on nodes of their own, and a client on its."""

    def __init__(self, sim: Simulation, bookies: int, config: BookieNetworkConfig) -> None:
        self.sim = sim
        self.scope = TaskScope()
        self.fakes = {f"b{i}": FakeBookie(f"b{i}") for i in range(bookies)}
        self.servers = {name: WireServer(fake) for name, fake in self.fakes.items()}
        self.writable = list(self.fakes)
        self.client_node = sim.node("client")
        self.pool = NetworkBookies(self._info, self.client_node.network, self.scope, config)

    async def start(self) -> None:
        for name, server in self.servers.items():
            await self.sim.node(name).network.listen(server.protocol, "0.0.0.0", PORT)

    def bookie(self, name: str = "b0") -> NetworkBookie:
        bookie = self.pool.bookie(name)
        assert isinstance(bookie, NetworkBookie)
        return bookie

    async def _info(self, bookie_id: str) -> BookieServiceInfo:
        return BookieServiceInfo((BookieEndpoint("bookie", bookie_id, PORT),))

    async def _writable(self) -> list[str]:
        return self.writable

    def client(self, config: LedgerClientConfig | None = None) -> LedgerClient:
        if not hasattr(self, "registry"):
            self.registry = LedgerRegistry(MemoryStore(self.client_node.clock))
        return LedgerClient(
            self.registry,
            self.pool,
            RandomPlacement(self._writable),
            random.Random(1),
            self.client_node.clock,
            self.scope,
            config,
        )

    async def stop(self) -> None:
        self.pool.close()
        await self.scope.close()


Main = Callable[[World], Awaitable[None]]


def run(
    main: Main,
    *,
    bookies: int = 1,
    config: BookieNetworkConfig | None = None,
    seed: int = 1,
    calm: bool = True,
) -> None:
    async def begin(sim: Simulation) -> None:
        world = World(sim, bookies, config or BookieNetworkConfig(reconnect_pause_ms=10))
        await world.start()
        await main(world)
        await world.stop()

    run_simulation(begin, seed=seed, loop_shape=CALM if calm else None)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_all_ledgers_share_one_connection() -> None:
    async def main(world: World) -> None:
        bookie, sinks = world.bookie(), [Adds() for _ in range(20)]
        for ledger_id, sink in enumerate(sinks):
            add(bookie, sink, 0, ledger_id=ledger_id)
        await until(lambda: all(sink.by_entry == {0: Status.OK} for sink in sinks))
        assert world.servers["b0"].accepted == 1
        assert len(world.fakes["b0"].entries) == 20

    run(main)


def test_nobody_there_is_unknown_and_is_tried_again_after_a_pause() -> None:
    async def main(world: World) -> None:
        host = world.sim.node("b0").network
        host.fail(silently=False)
        bookie, sink, reads = world.bookie(), Adds(), Reads()
        add(bookie, sink, 0)
        bookie.read(LEDGER, 0, 1, 1, 0, b"", reads, 5)
        await until(lambda: reads.rows)
        assert sink.by_entry == {0: Status.UNAVAILABLE}
        assert reads.rows == [(5, Status.UNAVAILABLE, 0, [])]
        add(bookie, sink, 1)  # at once: no second connect
        assert 1 not in sink.by_entry
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert sink.by_entry[1] is Status.UNAVAILABLE
        host.restart()
        server = world.servers["b0"]
        await host.listen(server.protocol, "0.0.0.0", PORT)
        await asyncio.sleep(0.02)
        add(bookie, sink, 2)
        await until(lambda: 2 in sink.by_entry)
        assert sink.by_entry[2] is Status.OK

    run(main)


def test_a_connect_that_fails_in_no_way_we_know_costs_that_bookie_alone() -> None:
    async def main(world: World) -> None:
        real = world.pool._service_info

        async def odd(bookie_id: str) -> BookieServiceInfo | None:
            if bookie_id == "b1":
                raise ZeroDivisionError("nobody has thought of this")
            await asyncio.sleep(0.01)
            return await real(bookie_id)

        world.pool._service_info = odd
        told: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context["message"]))
        sinks = {name: Adds() for name in world.fakes}
        for name, sink in sinks.items():
            add(world.bookie(name), sink, 0)
        await until(lambda: all(sink.by_entry for sink in sinks.values()))
        assert sinks["b0"].by_entry == {0: Status.OK}
        assert sinks["b1"].by_entry == {0: Status.UNAVAILABLE}
        assert told == ["bookie b1 cannot be reached"]
        world.pool._service_info = real
        await asyncio.sleep(0.02)
        add(world.bookie("b1"), sinks["b1"], 1)
        await until(lambda: 1 in sinks["b1"].by_entry)
        assert sinks["b1"].by_entry[1] is Status.OK

    run(main, bookies=2)


def test_a_lost_connection_ends_calls_and_the_next_call_makes_another() -> None:
    async def main(world: World) -> None:
        bookie, sink = world.bookie(), Adds()
        add(bookie, sink, 0)
        await until(lambda: sink.by_entry)
        world.servers["b0"].silent = True
        for entry_id in range(1, 5):
            add(bookie, sink, entry_id)
        await asyncio.sleep(1)
        world.servers["b0"].abort_all()
        await until(lambda: len(sink.by_entry) == 5)
        assert {sink.by_entry[e] for e in range(1, 5)} == {Status.UNAVAILABLE}
        world.servers["b0"].silent = False
        add(bookie, sink, 5)
        await until(lambda: len(sink.by_entry) == 6)
        assert sink.by_entry[5] is Status.OK
        assert world.servers["b0"].accepted == 2

    run(main)


def test_a_bookie_that_is_silent_for_the_timeout_loses_its_connection() -> None:
    async def main(world: World) -> None:
        bookie, sink, reads = world.bookie(), Adds(), Reads()
        add(bookie, sink, 0)
        await until(lambda: sink.by_entry)
        (connection,) = world.sim.network.connections
        connection.go_silent()
        start = world.sim.loop.time()
        add(bookie, sink, 1)
        bookie.read(LEDGER, 0, 1, 1, 0, b"", reads, 5)
        await until(lambda: reads.rows)
        assert sink.by_entry[1] is Status.TIMEOUT
        assert reads.rows[0][1] is Status.TIMEOUT
        assert 0.4 <= world.sim.loop.time() - start <= 0.55
        await until(lambda: bookie._connection is None)
        add(bookie, sink, 2)
        await until(lambda: 2 in sink.by_entry)
        assert sink.by_entry[2] is Status.OK

    run(main, config=BookieNetworkConfig(request_timeout_ms=400))


def test_one_slow_call_does_not_cost_the_others_their_connection() -> None:
    async def main(world: World) -> None:
        bookie, reads, fake = world.bookie(), Reads(), world.fakes["b0"]
        fake.held = True
        bookie.read(LEDGER, LAST_ENTRY, 1, 1, FENCE, KEY, reads, 1)
        await until(lambda: fake.pending)
        slow = fake.pending.pop()
        fake.held = False
        sink = Adds()
        for entry_id in range(10):
            add(bookie, sink, entry_id, ledger_id=LEDGER + 1)
            await asyncio.sleep(0.1)
        assert [row[:2] for row in reads.rows] == [(1, Status.TIMEOUT)]
        assert set(sink.by_entry.values()) == {Status.OK}
        assert world.servers["b0"].accepted == 1
        fake.pending.append(slow)
        fake.run(slow)  # its answer comes late
        await asyncio.sleep(0.1)
        bookie.read(LEDGER, LAST_ENTRY, 1, 1, FENCE, KEY, reads, 2)
        await until(lambda: len(reads.rows) == 2)
        assert reads.rows[1][:2] == (2, Status.NO_LEDGER)

    run(main, config=BookieNetworkConfig(request_timeout_ms=400))


@pytest.mark.parametrize("kind", ["read", "add"])
def test_a_response_that_never_comes_does_not_block_its_entry_for_ever(kind: str) -> None:
    async def main(world: World) -> None:
        bookie, reads, fake = world.bookie(), Reads(), world.fakes["b0"]

        async def call(context: int) -> Status:
            """Another ledger's adds keep the connection."""
            adds = Adds()
            if kind == "read":
                bookie.read(LEDGER, LAST_ENTRY, 1, 1, FENCE, KEY, reads, context)
            else:
                add(bookie, adds, 7)
            await asyncio.sleep(0.05)
            fake.pending.clear()
            fake.held = False
            others = Adds()
            for entry_id in range(6):
                add(bookie, others, entry_id, ledger_id=LEDGER + context)
                await asyncio.sleep(0.1)
            return reads.rows[-1][1] if kind == "read" else adds.by_entry[7]

        fake.held = True
        assert await call(1) is Status.TIMEOUT
        assert await call(2) is Status.TIMEOUT
        assert await call(3) is (Status.NO_LEDGER if kind == "read" else Status.OK)
        assert world.servers["b0"].accepted == 2

    run(main, config=BookieNetworkConfig(request_timeout_ms=400))


def test_a_bookie_without_batch_reads_is_read_entry_by_entry() -> None:
    async def main(world: World) -> None:
        server = world.servers["b0"]
        server.batch_reads = False
        bookie, sink, reads = world.bookie(), Adds(), Reads()
        for entry_id in range(40):
            add(bookie, sink, entry_id)
        await until(lambda: len(sink.by_entry) == 40)
        for context in (1, 2, 3, 4):
            bookie.read(LEDGER, 0, 100, MAX_BYTES, 0, b"", reads, context)
            await until(lambda: len(reads.rows) == context)  # noqa: B023
            await asyncio.sleep(1)
        assert [row[1] for row in reads.rows[:2]] == [Status.UNAVAILABLE] * 2
        for row in reads.rows[2:]:
            assert row[1:] == (Status.OK, 0, [entry_of(e) for e in range(32)])
        kinds = [type(r) for r in server.requests if isinstance(r, ReadRequest | BatchReadRequest)]
        assert kinds == [BatchReadRequest] * 2 + [ReadRequest] * 64

    run(main)


def test_a_lost_connection_alone_does_not_end_batch_reads() -> None:
    async def main(world: World) -> None:
        server, bookie, reads = world.servers["b0"], world.bookie(), Reads()
        sink = Adds()
        add(bookie, sink, 0)
        await until(lambda: sink.by_entry)
        bookie.read(LEDGER, 0, 10, MAX_BYTES, 0, b"", reads, 1)
        await until(lambda: reads.rows)
        server.silent = True
        bookie.read(LEDGER, 0, 10, MAX_BYTES, 0, b"", reads, 2)
        await asyncio.sleep(1)
        server.abort_all()
        await until(lambda: len(reads.rows) == 2)
        server.silent = False
        bookie.read(LEDGER, 0, 10, MAX_BYTES, 0, b"", reads, 3)
        await until(lambda: len(reads.rows) == 3)
        assert isinstance(server.requests[-1], BatchReadRequest)

    run(main)


def test_a_bookie_that_is_killed_at_the_first_batch_read_has_them_later() -> None:
    async def main(world: World) -> None:
        server, bookie, reads, sink = world.servers["b0"], world.bookie(), Reads(), Adds()
        add(bookie, sink, 0)
        await until(lambda: sink.by_entry)
        server.silent = True
        bookie.read(LEDGER, 0, 10, MAX_BYTES, 0, b"", reads, 1)
        await asyncio.sleep(1)
        server.abort_all()
        await until(lambda: reads.rows)
        server.silent = False
        bookie.read(LEDGER, 0, 10, MAX_BYTES, 0, b"", reads, 2)
        await until(lambda: len(reads.rows) == 2)
        assert isinstance(server.requests[-1], BatchReadRequest)

    run(main)


def test_refused_connections_do_not_end_batch_reads() -> None:
    async def main(world: World) -> None:
        node, server = world.sim.node("b9"), WireServer(FakeBookie("b9"))
        bookie, reads = world.bookie("b9"), Reads()
        for context in (1, 2, 3):
            bookie.read(LEDGER, 0, 10, MAX_BYTES, 0, b"", reads, context)
            await until(lambda: len(reads.rows) == context)  # noqa: B023
            assert reads.rows[-1][1] is Status.UNAVAILABLE
            await asyncio.sleep(5)
        await node.network.listen(server.protocol, "0.0.0.0", PORT)
        bookie.read(LEDGER, 0, 10, MAX_BYTES, 0, b"", reads, 4)
        await until(lambda: len(reads.rows) == 4)
        assert isinstance(server.requests[-1], BatchReadRequest)

    run(main)


def test_a_closed_client_takes_no_calls() -> None:
    async def main(world: World) -> None:
        bookie, sink = world.bookie(), Adds()
        add(bookie, sink, 0)
        await until(lambda: sink.by_entry)
        world.servers["b0"].silent = True
        add(bookie, sink, 1)
        await asyncio.sleep(0.5)
        world.pool.close()
        add(bookie, sink, 2)
        await until(lambda: len(sink.by_entry) == 3)
        assert sink.by_entry == {0: Status.OK, 1: Status.UNAVAILABLE, 2: Status.UNAVAILABLE}

    run(main)


def test_reads_have_a_bound() -> None:
    async def main(world: World) -> None:
        bookie, sink, reads = world.bookie(), Adds(), Reads()
        add(bookie, sink, 0)
        await until(lambda: sink.by_entry)
        for context in range(8):
            bookie.read(LEDGER, 0, 1, 100, 0, b"", reads, context)
        await until(lambda: len(reads.rows) == 8)
        refused = [row[0] for row in reads.rows if row[1] is Status.TOO_MANY_REQUESTS]
        assert refused == [5, 6, 7]

    run(main, config=BookieNetworkConfig(max_pending_reads=5))


async def read_all(client: LedgerClient, ledger_id: int, *, recover: bool) -> list[bytes]:
    reader = await client.open(ledger_id, recover=recover)
    found: list[bytes] = []
    while len(found) <= reader.last_add_confirmed:
        found += await reader.read(len(found), 100, 100_000)
    return found


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("sizes", [(3, 3, 2), (3, 2, 2), (4, 3, 2)])
@pytest.mark.parametrize("seed", range(2))
def test_ledgers_over_a_network_that_fails(
    version: int, sizes: tuple[int, int, int], seed: int
) -> None:
    """Links are slow and cut frames anywhere; a bookie dies silently, connections are reset; the
    ledger is recovered by another client and has what was confirmed.
    """

    async def main(world: World) -> None:
        config = LedgerClientConfig(add_timeout_ms=2000, read_timeout_ms=2000)
        writer = await world.client(config).create(
            ensemble_size=sizes[0], write_quorum=sizes[1], ack_quorum=sizes[2]
        )
        writer.sink = sink = Confirmed()
        rng = world.sim.rng("test")
        victim = rng.choice(writer.metadata.segments[0].bookies)
        for number in range(100):
            if number == 30:
                world.sim.node(victim).network.fail(silently=rng.random() < 0.5)
                world.writable.remove(victim)
            if number == 60:
                rng.choice(world.sim.network.connections).reset()
            writer.add(payload(number))
            if number % 10 == 9:
                await asyncio.sleep(0.05)
        await until(lambda: sink.count == 100 or sink.error)
        confirmed = sink.count
        assert confirmed == 100, sink.error
        found = await read_all(world.client(config), writer.ledger_id, recover=True)
        assert found == [payload(number) for number in range(100)]
        with suppress(LedgerFencedError):  # a change of the ensemble may have met the recovery
            writer.add(b"fenced")
        await until(lambda: sink.error)
        assert isinstance(sink.error, LedgerFencedError)
        assert sink.count == 100

    network = BookieNetworkConfig(
        use_v2_wire_protocol=version == 2,
        request_timeout_ms=2000,
        connect_timeout_ms=1000,
        reconnect_pause_ms=10,
    )
    run(main, bookies=6, config=network, seed=seed, calm=False)


@pytest.mark.parametrize("version", [2, 3])
def test_only_over_version_3_can_syncs_be_deferred(version: int) -> None:
    async def main(world: World) -> None:
        assert world.bookie().defers_sync is (version == 3)

    run(main, config=BookieNetworkConfig(use_v2_wire_protocol=version == 2))


def test_a_force_and_a_connection_that_is_lost() -> None:
    async def main(world: World) -> None:
        bookie, told = world.bookie(), list[Status]()
        bookie.force(LEDGER, told.append)
        assert told == []
        await until(lambda: told)
        assert (told, bookie.losses) == ([Status.OK], 0)
        server = world.servers["b0"]
        server.silent = True
        bookie.force(LEDGER, told.append)
        await until(lambda: len(server.requests) == 2)
        server.abort_all()
        await until(lambda: len(told) == 2)
        assert (told[1], bookie.losses) == (Status.UNAVAILABLE, 1)
        bookie.close()
        bookie.force(LEDGER, told.append)
        await until(lambda: len(told) == 3)
        assert told[2] is Status.UNAVAILABLE

    config = BookieNetworkConfig(use_v2_wire_protocol=False, reconnect_pause_ms=10)
    run(main, config=config)
