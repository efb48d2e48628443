"""The simulated worker: one call after another, in its own time."""

import asyncio
from functools import partial
from random import Random

import pytest
from magnetar_runtime import sim
from magnetar_runtime.disk import Worker
from magnetar_runtime.sim.worker import SimWorker, WorkerShape


def test_calls_are_made_in_order_and_told_later() -> None:
    async def main(world: sim.Simulation) -> None:
        worker: Worker = SimWorker(world.loop, world.rng("worker"))
        told: list[tuple[object, BaseException | None]] = []
        made: list[int] = []
        for number in range(5):
            worker.submit(partial(made.append, number), lambda *row: told.append(row))
        assert not made
        await worker.run(lambda: None)
        assert made == [0, 1, 2, 3, 4]
        assert told == [(None, None)] * 5
        with pytest.raises(ZeroDivisionError):
            await worker.run(lambda: 1 / 0)
        assert await worker.run(lambda: 7) == 7
        await worker.close()
        await worker.close()

    sim.run(main, seed=3)


def test_of_two_workers_either_may_be_first() -> None:
    def first(seed: int) -> str:
        async def main(world: sim.Simulation) -> str:
            made: list[str] = []
            workers = [SimWorker(world.loop, world.rng(name)) for name in "ab"]
            for name, worker in zip("ab", workers, strict=True):
                worker.submit(partial(made.append, name), lambda *_: None)
            for worker in workers:
                await worker.close()
            return made[0]

        return sim.run(main, seed=seed)

    assert {first(seed) for seed in range(20)} == {"a", "b"}


def test_a_stuck_disk_does_nothing_until_it_goes_on() -> None:
    async def main(world: sim.Simulation) -> None:
        shape = WorkerShape(usual_max_us=10, slow_chance=0)
        worker = SimWorker(world.loop, Random(1), shape)
        worker.stuck = True
        made: list[int] = []
        worker.submit(lambda: made.append(1), lambda *_: made.append(2))
        await asyncio.sleep(3600)
        assert made == []
        worker.stuck = False
        assert not worker.stuck
        await asyncio.sleep(1)
        assert made == [1, 2]

    sim.run(main)


def test_a_wait_that_is_cancelled_does_not_cancel_the_call() -> None:
    async def main(world: sim.Simulation) -> None:
        worker = SimWorker(world.loop, Random(1))
        made: list[int] = []
        task = world.loop.create_task(worker.run(lambda: made.append(1)))
        await asyncio.sleep(0)
        task.cancel()
        await worker.close()
        assert made == [1]

    sim.run(main, loop_shape=sim.CALM)
