"""A worker dies at every one of its steps, before or after it: nothing is lost, others finish."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from magnetar_ledger.bookie_pool import LocalBookies
from magnetar_ledger.repair.ledger_repair import LedgerRepair
from magnetar_ledger.repair.worker import ReplicationWorker
from magnetar_metadata.ledger_metadata import LedgerState
from magnetar_metadata.memory import MemoryStore

from tests.ledger.cluster import payload
from tests.ledger.fake_bookie import FakeBookie
from tests.ledger.repair.world import CONFIG, RepairWorld
from tests.ledger.virtual_time import run, turns, until

SMALL = replace(CONFIG, copy_batch_entries=4, open_ledger_grace_ms=2_000)
STORE_CALLS = ("get", "create", "set", "delete", "children", "multi", "sync")


class Fate:
    """Counts steps and kills at one of them."""

    def __init__(self, at: int, *, after: bool, kill: Callable[[], None]) -> None:
        self.steps = 0
        self.at = at
        self.after = after
        self.kill = kill

    def before_step(self) -> bool:
        """Counts; whether this is the last step, which is done all the same if `after`."""
        self.steps += 1
        if self.steps - 1 == self.at and not self.after:
            self.kill()
        return self.steps - 1 == self.at


class MortalStore:
    """A session whose calls are steps."""

    def __init__(self, session: MemoryStore, fate: Fate) -> None:
        self._session = session
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._session, name)
        if name not in STORE_CALLS:
            return found

        async def step(*arguments: Any, **options: Any) -> Any:
            last = self._fate.before_step()
            try:
                return await found(*arguments, **options)
            finally:
                if last and self._fate.after:
                    self._fate.kill()
                    await asyncio.sleep(3600)  # where it is cancelled

        return step


class MortalBookie:
    """A way to a bookie on which calls are steps."""

    def __init__(self, bookie: FakeBookie, fate: Fate) -> None:
        self._bookie = bookie
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bookie, name)

    def add(self, ledger_id: int, entry_ids: Sequence[int], *arguments: Any) -> None:
        last = self._fate.before_step()
        if last and not self._fate.after:
            return
        self._bookie.add(ledger_id, entry_ids, *arguments)
        if last:
            self._fate.kill()

    def read(self, *arguments: Any) -> None:
        last = self._fate.before_step()
        if last and not self._fate.after:
            return
        self._bookie.read(*arguments)
        if last:
            self._fate.kill()


class Run:
    """One life of a worker on a ledger that lacks replicas."""

    def __init__(self, world: RepairWorld, ledger_id: int, lost: set[str]) -> None:
        self.world = world
        self.ledger_id = ledger_id
        self.lost = lost

    async def until_death(self, at: int, *, after: bool) -> bool:
        """Whether it died; else it has finished before."""
        world = self.world
        session = world.store.new_session()
        died = asyncio.Event()

        def kill() -> None:
            session.expire()
            died.set()
            task.cancel()

        fate = Fate(at, after=after, kill=kill)
        store: Any = MortalStore(session, fate)
        bookies = {name: MortalBookie(bookie, fate) for name, bookie in world.bookies.items()}
        pool: Any = LocalBookies(bookies)  # type: ignore[arg-type]
        tools = replace(world.tools(store=store), bookies=pool)
        worker = ReplicationWorker(store, tools, "mortal", SMALL)
        task = asyncio.get_running_loop().create_task(worker.run())
        while not died.is_set() and await world.marked.list_ids():
            await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.wait([task])
        await turns()
        return died.is_set()

    async def check(self, *, finished: bool) -> None:
        """No bookie that is there lacks what metadata says it has; at the end none lacks any."""
        lacking = await self.world.lacking(self.ledger_id)
        if finished:
            assert lacking == []
            assert await self.world.marked.list_ids() == []
            assert await self.world.store.children("/ledgers/underreplication/locks") == []
        else:
            assert {bookie_id for bookie_id, _ in lacking} <= self.lost

    async def by_another(self) -> None:
        worker = self.world.worker(SMALL, seed=2)
        task = asyncio.get_running_loop().create_task(worker.run())
        for _ in range(600):
            if not await self.world.marked.list_ids():
                break
            await asyncio.sleep(1)
        await turns()
        task.cancel()
        await asyncio.wait([task])


async def closed_ledger() -> tuple[Run, int]:
    world = await RepairWorld(5).begin()
    ledger_id = await world.written(10)
    return await _lost_one(world, ledger_id), 10


async def striped_ledger() -> tuple[Run, int]:
    world = await RepairWorld(5).begin()
    ledger_id = await world.written(10, (4, 2, 2))
    return await _lost_one(world, ledger_id), 10


async def ledger_of_two_segments() -> tuple[Run, int]:
    world = await RepairWorld(6).begin()
    writer, sink = await world.writer()
    writer.add_all([payload(n) for n in range(5)])
    await until(lambda: sink.count == 5)
    await world.kill(writer.metadata.segments[0].bookies[0])
    writer.add_all([payload(n) for n in range(5, 10)])
    await until(lambda: sink.count == 10 and len(writer.metadata.segments) == 2)
    await turns()
    await writer.close()
    return await _lost_one(world, writer.ledger_id, place=1), 10


async def open_ledger() -> tuple[Run, int]:
    world = await RepairWorld(5).begin()
    return await _lost_one(world, await world.written(10, close=False)), 10


async def damaged_ledger() -> tuple[Run, int]:
    world = await RepairWorld(5).begin()
    ledger_id = await world.written(10)
    name = (await world.ensemble_of(ledger_id))[0]
    for entry_id in (0, 5, 9):
        del world.bookies[name].entries[ledger_id][entry_id]
    await world.marked.mark(ledger_id, [name])
    return Run(world, ledger_id, {name}), 10


async def _lost_one(world: RepairWorld, ledger_id: int, place: int = 0) -> Run:
    gone = set(world.bookies) - set(world.sessions)
    lost = (await world.ensemble_of(ledger_id))[place]
    await world.kill(lost)
    await world.marked.mark(ledger_id, [lost])
    return Run(world, ledger_id, {lost, *gone})


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "make", [closed_ledger, striped_ledger, ledger_of_two_segments, open_ledger, damaged_ledger]
)
def test_death_at_each_step(make: Any, after: bool) -> None:
    async def main(at: int) -> bool:
        life, count = await make()
        died = await life.until_death(at, after=after)
        await life.check(finished=not died)
        if died:
            await life.by_another()
            await life.check(finished=True)
        metadata = await life.world.metadata(life.ledger_id)
        assert (metadata.state, metadata.last_entry_id) == (LedgerState.CLOSED, count - 1)
        return died

    steps = 0
    while run(main(steps)):
        steps += 1
    assert steps > 15


def test_the_test_would_find_metadata_that_comes_too_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A planted bug: the new bookie stands in metadata before it has the entries."""

    async def hasty(self: Any, lock: Any, known: Any, fragment: Any) -> Any:
        bookies = known.metadata.segments[0].bookies
        (target,) = await self._tools.choose(1, bookies)
        written = await self._replacement.write(lock, known, fragment, target)
        await self.copier.copy_to(known.metadata, lock.ledger_id, fragment, target)
        return written

    monkeypatch.setattr(LedgerRepair, "_replace", hasty)
    with pytest.raises(AssertionError):
        test_death_at_each_step(closed_ledger, True)
