"""Deferred syncs on a disk that loses its power: what a force made durable is there afterwards."""

import asyncio
from random import Random
from unittest import mock

import pytest
from magnetar_proto.bookie import DEFERRED_SYNC, ForceDone, Status
from magnetar_runtime import sim
from magnetar_runtime.sim import LossPolicy, SimDisk, SimFile
from magnetar_storage.journal import Journal

from tests.sim.bookie_world import Layout, Machine
from tests.sim.crash_points import Recorder, check

LEDGERS = (1, 2, 3)
OPERATIONS = 60


def record(seed: int) -> Recorder:
    """Deferred adds with a force now and then, and a cut at each step."""
    recorder = Recorder(SimDisk(), Layout(1 + seed % 2, 1 + seed % 2))

    async def main(world: sim.Simulation) -> None:
        machine = Machine(world, recorder.disk, recorder.log, recorder.layout)
        await machine.start(flush_interval_ms=40)
        await work(machine, world.rng("workload"))
        await machine.settled()
        await machine.stop()

    sim.run(main, seed=seed, loop_shape=sim.CALM)
    return recorder


async def work(machine: Machine, rng: Random) -> None:
    following = dict.fromkeys(LEDGERS, 0)
    forces = []
    for _ in range(OPERATIONS):
        ledger_id = rng.choice(LEDGERS)
        await machine.room()
        ids = range(following[ledger_id], following[ledger_id] + rng.choice((1, 1, 2, 5)))
        following[ledger_id] = ids.stop
        machine.add(ledger_id, ids, rng.choice((20, 200, 700)), 0, DEFERRED_SYNC)
        if rng.random() < 0.3:
            forces.append(asyncio.ensure_future(machine.force(rng.choice(LEDGERS))))
        if rng.random() < 0.4:
            await asyncio.sleep(rng.uniform(0, 0.002))
    assert set(await asyncio.gather(*forces)) == {Status.OK}


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_forced_outlasts_a_cut_at_every_step(seed: int) -> None:
    recorder = record(seed)
    answered = [event for event in recorder.log if event.what == "answered"]
    forced = {event[1:3] for event in recorder.log if event.what == "acked"}
    assert len(answered) >= len(forced) > 30
    counts = check(recorder, seed, 4, policies=1)
    assert counts.wrongs == []
    assert counts.recoveries > 40


def test_a_force_that_does_not_wait_is_found() -> None:
    def force(journal: Journal, durable: ForceDone) -> None:
        journal._loop.call_soon(durable, Status.OK)

    with mock.patch.object(Journal, "force", force):
        assert check(record(1), 1, 3, policies=1).wrongs


@pytest.mark.parametrize("synced", [True, False])
def test_a_force_after_the_end_of_a_process_counts_what_only_the_system_had(synced: bool) -> None:
    """The process is killed behind the write of a group, before its sync; then the power goes."""
    at_write: list[SimDisk] = []

    async def killed(world: sim.Simulation) -> None:
        disk = SimDisk()
        machine = Machine(world, disk, [], Layout())
        await machine.start()

        def step(kind: str, path: str) -> None:
            if kind == "sync" and path.endswith(".journal"):
                at_write.append(disk.fork())

        disk.on_step = step
        machine.add(1, [0], 60, 0, DEFERRED_SYNC)
        assert await machine.force(1) is Status.OK
        await machine.stop()

    async def forces(world: sim.Simulation) -> SimDisk:
        disk = at_write[0]
        machine = Machine(world, disk, [], Layout())
        await machine.start()
        assert list(await machine.served(1, [0])) == [0]
        assert await machine.force(1) is Status.OK
        cut = disk.crashed(LossPolicy.NOTHING, Random(1))
        await machine.stop()
        return cut

    async def served(world: sim.Simulation, disk: SimDisk) -> list[int]:
        machine = Machine(world, disk, [], Layout())
        await machine.start()
        found = await machine.served(1, [0])
        await machine.stop()
        return list(found)

    sim.run(killed, seed=1)
    passed_over = () if synced else tuple(at_write[0].names("drive/journal0"))
    sync = SimFile.sync

    def sync_others(file: SimFile) -> None:
        if not file.path.endswith(passed_over):
            sync(file)

    with mock.patch.object(SimFile, "sync", sync_others):
        disk = sim.run(forces, seed=2)
    assert sim.run(lambda world: served(world, disk), seed=3) == [0] * synced
