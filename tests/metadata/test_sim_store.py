"""The simulated store keeps the contract, and its commits are one boundary."""

import asyncio
from random import Random

import pytest
from magnetar_metadata.errors import SessionExpiredError, UnknownOutcomeError
from magnetar_metadata.sim_store import SimStore
from magnetar_metadata.store import Create, SetValue
from magnetar_runtime.sim import Fault, LossPolicy, SimDisk, SimWorker, WorkerShape

from tests.metadata.clocks import ManualClock
from tests.metadata.store_contract import StoreContract, value_of

QUICK = WorkerShape(usual_max_us=0, slow_chance=0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def disk() -> SimDisk:
    return SimDisk()


def opened(disk: SimDisk, clock: ManualClock) -> SimStore:
    worker = SimWorker(asyncio.get_running_loop(), Random(1), QUICK)
    return SimStore.on(disk, "metadata", clock, worker)


@pytest.fixture
async def store(disk: SimDisk, clock: ManualClock) -> SimStore:
    return opened(disk, clock)


class TestSimStore(StoreContract):
    pass


async def test_what_was_told_is_found_again_but_no_ephemeral_node(
    store: SimStore, disk: SimDisk, clock: ManualClock
) -> None:
    await store.create("/a/b", b"1")
    number = await store.create("/q/ID-", b"", sequential=True, ephemeral=True)
    await store.set("/a/b", b"2")
    await store.create("/gone", b"")
    await store.delete("/gone")
    again = opened(disk.crashed(LossPolicy.NOTHING, Random(1)), clock)
    assert await value_of(again, "/a/b") == b"2"
    assert await again.children("/") == ["a", "q"]
    assert await again.children("/q") == []
    later = await again.create("/q/ID-", b"", sequential=True)
    assert int(later[-10:]) > int(number[-10:])
    await store.close()


async def test_a_power_cut_leaves_a_multi_wholly_or_not(
    store: SimStore, disk: SimDisk, clock: ManualClock
) -> None:
    await store.create("/a", b"1")
    cuts: list[SimDisk] = []
    disk.on_step = lambda _step, _path: cuts.append(disk.fork())
    await store.multi([SetValue("/a", b"2"), Create("/b", b"2")])
    (cut,) = cuts
    found = set()
    for seed in range(10):
        again = opened(cut.crashed(LossPolicy.PREFIX, Random(seed)), clock)
        found.add((await value_of(again, "/a"), await again.get("/b") is not None))
    assert found == {(b"1", False), (b"2", True)}


async def test_a_failed_commit_ends_the_store(store: SimStore, disk: SimDisk) -> None:
    disk.faults.append(Fault("commit"))
    with pytest.raises(UnknownOutcomeError):
        await store.create("/a", b"")
    with pytest.raises(SessionExpiredError):
        await store.get("/a")
    await store.close()
