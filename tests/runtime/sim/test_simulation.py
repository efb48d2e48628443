"""Running a program in a world of its own."""

import asyncio

import pytest
from magnetar_runtime import sim
from magnetar_runtime.clock import Clock
from magnetar_runtime.errors import DeadlockError
from magnetar_runtime.network import Network


def test_a_node_has_what_a_service_takes() -> None:
    async def main(world: sim.Simulation) -> None:
        node = world.node("broker", clock_offset_ms=60_000)
        assert world.node("broker") is node
        network: Network = node.network
        clock: Clock = node.clock
        right: Clock = world.node("bookie").clock
        assert network is world.network.host("broker")
        assert clock.wall_ms() - right.wall_ms() == 60_000
        assert node.rng.random() != world.node("bookie").rng.random()

    sim.run(main)


def test_gives_what_the_program_gives_and_cancels_what_it_leaves() -> None:
    ended: list[str] = []

    async def linger() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("cancelled")

    async def main(world: sim.Simulation) -> int:
        task = asyncio.get_running_loop().create_task(linger())
        await asyncio.sleep(1)
        assert not task.done()
        return world.seed

    assert sim.run(main, seed=5) == 5
    assert ended == ["cancelled"]


def test_an_error_in_a_callback_ends_the_run() -> None:
    async def main(world: sim.Simulation) -> None:
        world.loop.call_later(1, lambda: 1 // 0)
        await asyncio.sleep(3600)

    with pytest.raises(ZeroDivisionError):
        sim.run(main)


def test_an_error_tells_its_seed_and_the_last_events() -> None:
    async def main(world: sim.Simulation) -> None:
        await asyncio.sleep(1)
        await world.loop.create_future()

    with pytest.raises(DeadlockError) as caught:
        sim.run(main, seed=77)
    [note] = caught.value.__notes__
    assert note.startswith("seed 77; 3 events, the last:")
    assert "task 0 run.<locals>.begin" in note


def test_shapes_are_drawn_unless_they_are_given() -> None:
    async def main(world: sim.Simulation) -> float:
        await asyncio.sleep(1)
        return world.loop.time()

    times = {sim.run(main, seed=seed) for seed in range(20)}
    assert len(times) > 5
    assert sim.run(main, loop_shape=sim.CALM) == 1.0
