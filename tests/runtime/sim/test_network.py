"""Partitions, in both directions and in one."""

import asyncio

import pytest
from magnetar_runtime import sim

from tests.runtime.recorders import BufferedRecorder


async def join(world: sim.Simulation) -> tuple[BufferedRecorder, BufferedRecorder]:
    one, other = BufferedRecorder(), BufferedRecorder()
    await world.network.host("one").listen(lambda: one, "one", 1)
    await world.network.host("other").connect(lambda: other, "one", 1)
    return one, other


@pytest.mark.parametrize("seed", range(5))
def test_what_was_sent_into_a_partition_arrives_when_it_has_healed(seed: int) -> None:
    async def main(world: sim.Simulation) -> None:
        one, other = await join(world)
        hosts = world.network.host("one"), world.network.host("other")
        world.network.partition([hosts[0]], [hosts[1]])
        one.transport.write(b"there")
        other.transport.write(b"back")
        await asyncio.sleep(60)
        assert not one.data
        assert not other.data
        world.network.heal()
        await one.has(4)
        await other.has(5)
        assert len(world.network.between(*hosts)) == 1

    sim.run(main, seed=seed)


def test_a_one_way_partition_lets_bytes_through_and_no_acknowledgement() -> None:
    async def main(world: sim.Simulation) -> None:
        one, other = await join(world)
        hosts = world.network.host("one"), world.network.host("other")
        world.network.partition([hosts[0]], [hosts[1]], one_way=True)
        other.transport.write(b"x" * 1000)
        await one.has(1000)
        flood = other.flood()
        await asyncio.sleep(60)
        assert one.data != b"x" * 1000 + flood, "the window is full"
        one.transport.write(b"y")
        await asyncio.sleep(60)
        assert not other.data
        world.network.heal()
        await other.has(1)
        await one.has(1000 + len(flood))

    sim.run(main)


def test_links_have_shapes_of_their_own() -> None:
    async def main(world: sim.Simulation) -> float:
        one, other = await join(world)
        link = world.network.link(world.network.host("other"), world.network.host("one"))
        link.shape = sim.LinkShape(latency_min_us=5_000_000, latency_max_us=5_000_000)
        began = world.loop.time()
        other.transport.write(b"x")
        await one.has(1)
        return world.loop.time() - began

    assert 5 <= sim.run(main) < 5.1
