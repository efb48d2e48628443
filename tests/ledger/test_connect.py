"""A client by the address of the metadata, and on a store that is open."""

import asyncio
import random

import pytest
from magnetar_ledger.appends import Appends
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.connect import connect, connect_tools, connect_with
from magnetar_ledger.errors import LedgerError, NotEnoughBookiesError
from magnetar_metadata.bookie_registry import BookieEndpoint, BookieRegistry, BookieServiceInfo
from magnetar_metadata.errors import UnknownLayoutError, WrongUrlError
from magnetar_metadata.memory import MemoryStore
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.sim import CALM, Simulation
from magnetar_runtime.sim import run as run_simulation

from tests.ledger.fake_bookie import FakeBookie
from tests.ledger.network.wire_server import WireServer


def test_bookies_are_found_where_they_are_registered() -> None:
    async def main(sim: Simulation) -> None:
        store = MemoryStore(sim.node("client").clock)
        registry = BookieRegistry(store, "/other/ledgers")
        for name in ("b0", "b1", "b2"):
            server = WireServer(FakeBookie(name))
            await sim.node(name).network.listen(server.protocol, "0.0.0.0", 3181)
            info = BookieServiceInfo((BookieEndpoint("bookie", name, 3181),))
            await registry.register(name, info)
        async with connect_with(
            store,
            ledgers_root="/other/ledgers",
            clock=sim.node("client").clock,
            network=sim.node("client").network,
            rng=random.Random(1),
        ) as client:
            writer = await client.create(ensemble_size=3, write_quorum=3, ack_quorum=2)
            assert await Appends(writer).append(b"hello") == 0
            await writer.close()
            reader = await client.open(writer.ledger_id, recover=False)
            assert await reader.read(0, 1, 100) == [b"hello"]
        assert await store.children("/other/ledgers") != []

    run_simulation(main, seed=1, loop_shape=CALM)


async def test_an_empty_cluster_has_too_few_bookies() -> None:
    async with connect("memory:") as client:
        with pytest.raises(NotEnoughBookiesError):
            await client.create(ensemble_size=1, write_quorum=1, ack_quorum=1)


async def test_ledgers_that_stand_elsewhere_are_not_for_this_client() -> None:
    store = MemoryStore(SystemClock())
    await store.create(
        "/ledgers/LAYOUT", b"2\norg.apache.bookkeeper.meta.FlatLedgerManagerFactory:1"
    )
    with pytest.raises(UnknownLayoutError, match="FlatLedgerManagerFactory"):
        async with connect_with(store):
            pass


async def test_a_wrong_address_is_refused() -> None:
    with pytest.raises(WrongUrlError):
        async with connect("http://127.0.0.1"):
            pass


def test_a_bug_in_the_client_is_told_and_ends_its_writers() -> None:
    async def break_down() -> None:
        raise ZeroDivisionError("a bug")

    async def main(sim: Simulation) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        client_node = sim.node("client")
        store, told = MemoryStore(client_node.clock), list[BaseException]()
        server = WireServer(FakeBookie("b0"))
        await sim.node("b0").network.listen(server.protocol, "0.0.0.0", 3181)
        info = BookieServiceInfo((BookieEndpoint("bookie", "b0", 3181),))
        await BookieRegistry(store).register("b0", info)
        with pytest.raises(ZeroDivisionError):
            async with connect_tools(
                store,
                clock=client_node.clock,
                network=client_node.network,
                rng=random.Random(1),
                on_failure=told.append,
            ) as tools:
                client = LedgerClient.with_tools(tools)
                writer = await client.create(ensemble_size=1, write_quorum=1, ack_quorum=1)
                log = Appends(writer)
                assert await log.append(b"hello") == 0
                server.bookie.held = True
                pending = asyncio.ensure_future(log.append(b"pending"))
                await asyncio.sleep(0.1)
                tools.scope.spawn(break_down(), name="broken")
                with pytest.raises(LedgerError, match="bug"):
                    await pending
                assert [type(error) for error in told] == [ZeroDivisionError]

    run_simulation(main, seed=1, loop_shape=CALM)
