"""Running a program in a world of its own."""

import asyncio

import pytest
from magnetar_runtime import sim
from magnetar_runtime.clock import Clock
from magnetar_runtime.errors import DeadlockError, SimulationLimitError
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


async def stay(world: sim.Simulation) -> None:
    """Cannot be cancelled: whatever it cleans up waits for an answer that never comes."""
    try:
        await world.loop.create_future()
    finally:
        await world.loop.create_future()


def test_what_cannot_be_cancelled_ends_the_run_by_name() -> None:
    async def main(world: sim.Simulation) -> None:
        world.loop.create_task(stay(world), name="ghost")
        await asyncio.sleep(0.1)

    with pytest.raises(
        DeadlockError, match=r"ghost in stay \(.*test_simulation.py:\d+\)"
    ) as caught:
        sim.run(main, seed=7)
    assert caught.value.__notes__[0].startswith("seed 7; ")


def test_a_limit_names_who_waits() -> None:
    async def main(world: sim.Simulation) -> None:
        while True:
            await asyncio.sleep(1)

    with pytest.raises(
        SimulationLimitError, match=r"virtual time than it may; waiting: .* in sleep"
    ):
        sim.run(main, max_time_s=10)


def test_what_cannot_be_cancelled_hides_no_error() -> None:
    async def main(world: sim.Simulation) -> None:
        world.loop.create_task(stay(world), name="ghost")
        await asyncio.sleep(0.1)
        raise ValueError("lost")

    with pytest.raises(ValueError, match="lost") as caught:
        sim.run(main)
    assert any("DeadlockError" in note for note in caught.value.__notes__)
