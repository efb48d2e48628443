"""Workers share the marked ledgers, wait out failures and leave no lock behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from magnetar_ledger.repair.worker import ReplicationWorker
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_metadata.ledger_metadata import LedgerState
from magnetar_metadata.memory import MemoryStore
from magnetar_proto.bookie import Status
from magnetar_runtime.scope import TaskScope

from tests.ledger.cluster import payload
from tests.ledger.repair.world import CONFIG, RepairWorld
from tests.ledger.virtual_time import run, turns

LOCKS = "/ledgers/underreplication/locks"


@asynccontextmanager
async def at_work(*workers: ReplicationWorker) -> AsyncIterator[None]:
    scope = TaskScope()
    for worker in workers:
        scope.spawn(worker.run(), name="worker")
    try:
        yield
    finally:
        await scope.close()


async def all_done(world: RepairWorld) -> None:
    for _ in range(3600):
        if not await world.marked.list_ids():
            return
        await asyncio.sleep(1)
    raise AssertionError(f"left: {await world.marked.list_ids()}")


def test_marked_ledgers_are_made_whole_by_many_workers() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledgers = [await world.written(20) for _ in range(30)]
        lost = (await world.ensemble_of(ledgers[0]))[0]
        await world.kill(lost)
        workers = [world.worker(seed=seed) for seed in range(3)]
        async with at_work(*workers):
            for ledger_id in ledgers:
                await world.marked.mark(ledger_id, [lost])
            await all_done(world)
            await turns()
            assert await world.store.children(LOCKS) == []
        for ledger_id in ledgers:
            assert await world.lacking(ledger_id) == []
            assert lost not in await world.ensemble_of(ledger_id)
        assert sum(worker.counters.repaired for worker in workers) == 30
        assert sum(worker.counters.failed for worker in workers) == 0
        copied = sum(worker.entries_copied for worker in workers)
        assert copied > 0
        assert copied % 20 == 0
        assert sum(worker.bytes_copied for worker in workers) > copied

    run(main())


def test_it_waits_for_a_bookie_that_can_take_the_place() -> None:
    async def main() -> None:
        world = await RepairWorld(3).begin()
        ledger_id = await world.written(20)
        lost = (await world.ensemble_of(ledger_id))[0]
        await world.kill(lost)
        worker = world.worker()
        async with at_work(worker):
            await world.marked.mark(ledger_id, [lost])
            await asyncio.sleep(1000)
            assert worker.counters.failed > 3
            assert await world.store.children(LOCKS) == []
            began = asyncio.get_running_loop().time()
            await world.register("b9")
            await all_done(world)
            assert asyncio.get_running_loop().time() - began < 5  # not after the whole pause
        assert await world.lacking(ledger_id) == []

    run(main())


def test_a_ledger_that_was_deleted_is_marked_no_more() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        await world.marked.mark(77, ["x"])
        async with at_work(world.worker()):
            await all_done(world)

    run(main())


def test_what_is_marked_during_the_repair_is_looked_at_again() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledger_id = await world.written(20)
        first, second, _ = await world.ensemble_of(ledger_id)
        await world.kill(first)
        await world.marked.mark(ledger_id, [first])
        for bookie in world.bookies.values():
            bookie.held = True  # the copying takes its time
        async with at_work(world.worker()):
            await asyncio.sleep(1)
            await world.kill(second)
            await world.marked.mark(ledger_id, [second])
            for bookie in world.bookies.values():
                bookie.held = False
                bookie.run_all()
            await all_done(world)
        assert await world.lacking(ledger_id) == []
        assert not {first, second} & set(await world.ensemble_of(ledger_id))

    run(main())


def test_nothing_is_begun_while_it_is_switched_off() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledger_id = await world.written(20)
        lost = (await world.ensemble_of(ledger_id))[0]
        await world.kill(lost)
        await world.marked.enable(False)
        await world.marked.mark(ledger_id, [lost])
        async with at_work(world.worker()):
            await asyncio.sleep(600)
            assert lost in await world.ensemble_of(ledger_id)
            await world.marked.enable()
            await all_done(world)
        assert await world.lacking(ledger_id) == []

    run(main())


def test_an_open_ledger_is_closed_after_the_grace_and_others_go_on_meanwhile() -> None:
    async def main() -> None:
        world = await RepairWorld(6).begin()
        writers = [(await world.writer())[0] for _ in range(6)]
        for writer in writers:
            writer.add_all([payload(0)])
        await turns(50)
        lost = writers[0].metadata.segments[-1].bookies[0]
        closed = [await world.written(20) for _ in range(10)]
        await world.kill(lost)
        needing = [w for w in writers if lost in w.metadata.segments[-1].bookies]
        for ledger_id in [*closed, *(w.ledger_id for w in needing)]:
            await world.marked.mark(ledger_id, [lost])
        config = replace(CONFIG, max_repairs=1)
        began = asyncio.get_running_loop().time()
        async with at_work(world.worker(config)):
            await asyncio.sleep(15)
            assert await world.marked.list_ids() == sorted(w.ledger_id for w in needing)
            assert len(await world.store.children(LOCKS)) == len(needing)  # kept meanwhile
            for writer in needing:
                assert (await world.metadata(writer.ledger_id)).state is LedgerState.OPEN
            await all_done(world)
        assert 29 < asyncio.get_running_loop().time() - began < 40
        for writer in needing:
            metadata = await world.metadata(writer.ledger_id)
            assert (metadata.state, metadata.last_entry_id) == (LedgerState.CLOSED, 0)
            assert await world.lacking(writer.ledger_id) == []

    run(main())


def test_a_silent_bookie_is_given_up_after_three_attempts() -> None:
    async def main() -> None:
        world = await RepairWorld(4).begin()
        ledger_id = await world.written(20)
        name = (await world.ensemble_of(ledger_id))[0]
        world.bookies[name].answer = Status.TIMEOUT
        await world.marked.mark(ledger_id, [name])
        worker = world.worker()
        async with at_work(worker):
            await all_done(world)
        assert worker.counters.failed == 2
        assert name not in await world.ensemble_of(ledger_id)
        assert await world.lacking(ledger_id) == []

    run(main())


def test_so_many_locks_are_held_and_no_more() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        writers = [(await world.writer())[0] for _ in range(12)]
        await turns()
        lost = writers[0].metadata.segments[-1].bookies[0]
        await world.kill(lost)
        for writer in writers:
            await world.marked.mark(writer.ledger_id, [lost])
        needing = [w for w in writers if lost in w.metadata.segments[-1].bookies]
        assert len(needing) > 4
        config = replace(CONFIG, max_repairs=1, max_waiting_repairs=2)
        async with at_work(world.worker(config)):
            for _ in range(25):
                await asyncio.sleep(1)
                assert len(await world.store.children(LOCKS)) <= 3
            await all_done(world)
        for writer in needing:
            assert await world.lacking(writer.ledger_id) == []

    run(main())


class AwayStore(MemoryStore):
    """A session whose store cannot be asked while `away`."""

    away = False

    async def children(self, path: str) -> list[str]:
        if self.away:
            raise UnknownOutcomeError(path, "away")
        return await super().children(path)


def test_an_outage_of_the_store_is_waited_out() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledger_id = await world.written(20)
        lost = (await world.ensemble_of(ledger_id))[0]
        await world.kill(lost)
        await world.marked.mark(ledger_id, [lost])
        session: Any = world.store.new_session()
        session.__class__ = AwayStore
        session.away = True
        async with at_work(world.worker(store=session)):
            await asyncio.sleep(100)
            session.away = False
            await all_done(world)
        assert await world.lacking(ledger_id) == []

    run(main())


def test_a_session_that_ends_costs_time_and_nothing_else() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledger_id = await world.written(500)
        lost = (await world.ensemble_of(ledger_id))[0]
        await world.kill(lost)
        await world.marked.mark(ledger_id, [lost])
        session = world.store.new_session()
        config = replace(CONFIG, copy_rate_bytes_per_s=5_000, copy_batch_entries=20)
        worker = world.worker(config, store=session)
        async with at_work(worker):
            await asyncio.sleep(2)
            assert worker.entries_copied > 0
            session.expire(renew=True)
            await all_done(world)
        assert worker.counters.failed == 1
        assert await world.lacking(ledger_id) == []
        assert await world.store.children(LOCKS) == []

    run(main())


def test_an_end_in_the_middle_leaves_the_rest_to_others() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledger_id = await world.written(500)
        lost = (await world.ensemble_of(ledger_id))[0]
        await world.kill(lost)
        await world.marked.mark(ledger_id, [lost])
        config = replace(CONFIG, copy_rate_bytes_per_s=5_000, copy_batch_entries=20)
        async with at_work(world.worker(config)):
            await asyncio.sleep(2)
        assert await world.store.children(LOCKS) == []
        assert await world.marked.list_ids() == [ledger_id]
        async with at_work(world.worker(seed=2)):
            await all_done(world)
        assert await world.lacking(ledger_id) == []

    run(main())
