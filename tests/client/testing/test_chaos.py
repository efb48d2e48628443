"""The proxy on the simulated network: what each fault does to both ends, exactly."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from magnetar.testing.chaos import ChaosProxy, Fault, Step, draw_plan
from magnetar_runtime import sim


class Peer(asyncio.Protocol):
    """An end that keeps what it gets."""

    def __init__(self) -> None:
        self.data = b""
        self.lost = False
        self.error: Exception | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, error: Exception | None) -> None:
        self.lost, self.error = True, error


class World:
    """A client, the proxy, and a server that has a `Peer` for each connection."""

    def __init__(self, world: sim.Simulation) -> None:
        self.world = world
        self.served: list[Peer] = []
        self.proxy = ChaosProxy(
            "server", 1, seed=3, network=world.node("proxy").network, own_host="proxy"
        )

    async def start(self) -> None:
        def serve() -> Peer:
            self.served.append(Peer())
            return self.served[-1]

        self.listener = await self.world.node("server").network.listen(serve, "server", 1)
        await self.proxy.start(2)

    async def connect(self) -> Peer:
        peer = Peer()
        await self.world.node("client").network.connect(lambda: peer, "proxy", 2)
        await asyncio.sleep(1)
        return peer


def play(story: Callable[[World], Awaitable[None]], seed: int = 0) -> None:
    async def main(world: sim.Simulation) -> None:
        stage = World(world)
        await stage.start()
        await story(stage)
        await stage.proxy.close()
        await asyncio.sleep(1)
        assert stage.proxy.open_links == 0
        stage.listener.close()

    sim.run(main, seed=seed)


@pytest.mark.parametrize("seed", range(3))
def test_bytes_run_both_ways_in_order(seed: int) -> None:
    async def story(stage: World) -> None:
        client = await stage.connect()
        sent = bytes(range(256)) * 1000
        client.transport.write(sent)
        stage.served[0].transport.write(sent[::-1])
        await asyncio.sleep(10)
        assert stage.served[0].data == sent
        assert client.data == sent[::-1]
        client.transport.close()
        await asyncio.sleep(1)
        assert stage.served[0].lost
        assert stage.proxy.open_links == 0

    play(story, seed)


def test_a_cut_closes_both_ends() -> None:
    async def story(stage: World) -> None:
        client = await stage.connect()
        stage.proxy.apply(Fault.CUT)
        await asyncio.sleep(1)
        assert client.lost
        assert stage.served[0].lost
        await stage.connect()  # the next one is well
        assert not stage.served[1].lost

    play(story)


def test_a_reset_falls_inside_of_what_is_sent() -> None:
    async def story(stage: World) -> None:
        client = await stage.connect()
        stage.proxy.apply(Fault.RESET)
        client.transport.write(bytes(1000))
        await asyncio.sleep(1)
        assert client.lost
        assert stage.served[0].lost
        assert len(stage.served[0].data) < 1000

    play(story)


def test_a_stall_holds_everything_back_until_it_is_healed() -> None:
    async def story(stage: World) -> None:
        client = await stage.connect()
        stage.proxy.apply(Fault.STALL)
        client.transport.write(b"late")
        later = await stage.connect()  # new connections stall as well
        later.transport.write(b"later")
        await asyncio.sleep(60)
        assert not any(peer.data for peer in stage.served)
        assert not client.lost
        stage.proxy.heal()
        await asyncio.sleep(1)
        assert sorted(peer.data for peer in stage.served) == [b"late", b"later"]

    play(story)


def test_half_open_is_not_told_to_the_client() -> None:
    async def story(stage: World) -> None:
        client = await stage.connect()
        stage.proxy.apply(Fault.HALF_OPEN)
        client.transport.write(b"into the void")
        await asyncio.sleep(60)
        assert stage.served[0].lost
        assert stage.served[0].data == b""
        assert not client.lost
        stage.proxy.heal()
        await asyncio.sleep(1)
        assert client.lost

    play(story)


def test_slow_takes_the_time_of_its_rate() -> None:
    async def story(stage: World) -> None:
        client = await stage.connect()
        stage.proxy.slow(1000)
        for _ in range(10):
            client.transport.write(bytes(500))
        await asyncio.sleep(2)
        assert 0 < len(stage.served[0].data) < 5000
        await asyncio.sleep(20)
        assert len(stage.served[0].data) == 5000

    play(story)


def test_refused_connections_are_reset_and_open_ones_go_on() -> None:
    async def story(stage: World) -> None:
        client = await stage.connect()
        stage.proxy.apply(Fault.REFUSE)
        refused = await stage.connect()
        assert refused.lost
        client.transport.write(b"x")
        await asyncio.sleep(1)
        assert stage.served[0].data == b"x"
        stage.proxy.heal()
        assert not (await stage.connect()).lost

    play(story)


def test_a_server_that_is_away_is_a_reset() -> None:
    async def story(stage: World) -> None:
        stage.listener.close()
        assert (await stage.connect()).lost

    play(story)


def test_a_plan_ends_well_also_when_it_is_cancelled() -> None:
    async def story(stage: World) -> None:
        client = await stage.connect()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await stage.proxy.run([Step(1, Fault.STALL, 1000)])
        client.transport.write(b"x")
        await asyncio.sleep(1)
        assert stage.served[0].data == b"x"

    play(story)


def test_a_plan_is_drawn_by_its_seed() -> None:
    plan = draw_plan(7, 600)
    assert plan == draw_plan(7, 600)
    assert plan != draw_plan(8, 600)
    assert {step.fault for step in plan} == set(Fault)
    assert sum(step.after_s + step.lasts_s for step in plan[:-1]) < 600
    assert {step.fault for step in draw_plan(7, 600, faults=[Fault.CUT])} == {Fault.CUT}
