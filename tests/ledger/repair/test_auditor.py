"""The auditor marks what is lost, in time, and nothing when only the store was away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from magnetar_ledger.repair.auditor import Auditor
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_metadata.memory import MemoryStore
from magnetar_runtime.scope import TaskScope

from tests.ledger.repair.world import CONFIG, RepairWorld
from tests.ledger.virtual_time import run, until

QUIET = replace(CONFIG, ledger_check_interval_s=0)


@asynccontextmanager
async def in_office(*auditors: Auditor) -> AsyncIterator[None]:
    scope = TaskScope()
    for auditor in auditors:
        scope.spawn(auditor.run(), name="auditor")
    try:
        yield
    finally:
        await scope.close()


async def needing(world: RepairWorld, bookie_id: str, ledgers: list[int]) -> list[int]:
    return [e for e in ledgers if bookie_id in await world.ensemble_of(e)]


def test_the_ledgers_of_a_lost_bookie_are_marked() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledgers = [await world.written(5) for _ in range(300)]
        opened = [await world.written(0, close=False) for _ in range(5)]
        auditor = world.auditor(QUIET)
        async with in_office(auditor):
            await until(lambda: auditor.leading)
            await asyncio.sleep(60)
            assert await world.marked.list_ids() == []
            await world.kill("b0")
            await asyncio.sleep(2)
            assert await world.marked.list_ids() == []  # it may be one of many: a tick tells
            await asyncio.sleep(2)
            expected = await needing(world, "b0", ledgers + opened)
            assert 100 < len(expected) < 300
            assert await world.marked.list_ids() == expected
            found = await world.marked.read(expected[0])
            assert found is not None
            assert found[0].replicas == ("b0",)
            assert auditor.ledgers_marked == len(expected)

    run(main())


def test_a_bookie_that_is_back_within_the_delay_is_not_lost() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledgers = [await world.written(5) for _ in range(20)]
        async with in_office(world.auditor(replace(QUIET, lost_bookie_recovery_delay_s=120))):
            await asyncio.sleep(60)
            await world.kill("b0")
            await asyncio.sleep(119)
            await world.revive("b0")
            await asyncio.sleep(600)
            assert await world.marked.list_ids() == []
            await world.kill("b0")
            await asyncio.sleep(119)
            assert await world.marked.list_ids() == []
            await asyncio.sleep(2)
            assert await world.marked.list_ids() == await needing(world, "b0", ledgers)

    run(main())


def test_the_clusters_delay_counts_and_may_change() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledgers = [await world.written(5) for _ in range(20)]
        await world.marked.set_lost_bookie_recovery_delay_s(10_000)
        async with in_office(world.auditor(QUIET)):
            await asyncio.sleep(60)
            await world.kill("b0")
            await asyncio.sleep(900)
            assert await world.marked.list_ids() == []
            await world.marked.set_lost_bookie_recovery_delay_s(30)
            await asyncio.sleep(1)
            assert await world.marked.list_ids() == await needing(world, "b0", ledgers)

    run(main())


def test_a_bookie_that_was_lost_before_is_found_by_the_metadata() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledgers = [await world.written(5) for _ in range(20)]
        await world.kill("b0")
        async with in_office(world.auditor(QUIET)):
            await asyncio.sleep(10)
            assert await world.marked.list_ids() == await needing(world, "b0", ledgers)

    run(main())


def test_ledgers_are_marked_again_by_the_periodic_check() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledgers = [await world.written(5) for _ in range(20)]
        async with in_office(world.auditor(replace(QUIET, bookie_check_interval_s=3600))):
            await world.kill("b0")
            await asyncio.sleep(60)
            expected = await needing(world, "b0", ledgers)
            for ledger_id in await world.marked.list_ids():
                await world.marked.remove(ledger_id)  # by a worker that saw it otherwise
            await asyncio.sleep(3500)
            assert await world.marked.list_ids() == []
            await asyncio.sleep(100)
            assert await world.marked.list_ids() == expected

    run(main())


def test_if_all_bookies_seem_lost_nothing_is_marked() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        for _ in range(20):
            await world.written(5)
        async with in_office(world.auditor(QUIET)):
            await asyncio.sleep(60)
            for name in world.bookies:
                await world.unregister(name)
            await asyncio.sleep(200_000)
            assert await world.marked.list_ids() == []
            for name in world.bookies:
                await world.register(name)
            await asyncio.sleep(60)
            assert await world.marked.list_ids() == []

    run(main())


def test_if_most_seem_lost_it_takes_ten_minutes() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        for _ in range(20):
            await world.written(5)
        async with in_office(world.auditor(QUIET)):
            await asyncio.sleep(60)
            for name in ("b0", "b1", "b2"):
                await world.kill(name)
            await asyncio.sleep(590)
            assert await world.marked.list_ids() == []
            await asyncio.sleep(20)
            assert await world.marked.list_ids() != []

    run(main())


class AwayStore(MemoryStore):
    """A session whose reads fail, all or at a ledger."""

    away = False
    failing_reads = 0

    async def children(self, path: str) -> list[str]:
        if self.away:
            raise UnknownOutcomeError(path, "away")
        return await super().children(path)

    async def get(self, path: str) -> Any:
        if "/L" in path and self.failing_reads:
            self.failing_reads -= 1
            raise UnknownOutcomeError(path, "away")
        return await super().get(path)


def away_session(world: RepairWorld) -> Any:
    session: Any = world.store.new_session()
    session.__class__ = AwayStore
    return session


def test_an_outage_of_the_store_marks_nothing() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledgers = [await world.written(5) for _ in range(20)]
        session = away_session(world)
        async with in_office(world.auditor(QUIET, store=session)):
            await asyncio.sleep(60)
            session.away = True
            await world.kill("b0")
            await asyncio.sleep(500)
            assert await world.marked.list_ids() == []
            session.away = False
            await asyncio.sleep(10)
            assert await world.marked.list_ids() == await needing(world, "b0", ledgers)

    run(main())


def test_metadata_that_cannot_be_read_ends_the_round_and_not_the_auditor() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledgers = [await world.written(5) for _ in range(20)]
        session = away_session(world)
        auditor = world.auditor(QUIET, store=session)
        session.failing_reads = 3
        with pytest.raises(UnknownOutcomeError):
            await auditor.audit(0)
        assert await world.marked.list_ids() == []
        session.failing_reads = 30
        async with in_office(auditor):
            await world.kill("b0")
            await asyncio.sleep(120)
            assert await world.marked.list_ids() == await needing(world, "b0", ledgers)

    run(main())


def test_one_ledger_that_nobody_can_read_hides_no_other() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledgers = [await world.written(5) for _ in range(20)]
        lost = (await world.ensemble_of(ledgers[3]))[0]
        expected = [e for e in await needing(world, lost, ledgers) if e != ledgers[3]]
        await world.store.set("/ledgers/00/0000/L0003", b"nonsense")
        async with in_office(world.auditor(QUIET)):
            await world.kill(lost)
            await asyncio.sleep(60)
            assert await world.marked.list_ids() == expected

    run(main())


def test_nothing_is_marked_while_it_is_switched_off() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledgers = [await world.written(5) for _ in range(20)]
        await world.marked.enable(False)
        async with in_office(world.auditor(CONFIG)):
            await world.kill("b0")
            await asyncio.sleep(2_000)
            assert await world.marked.list_ids() == []
            await world.marked.enable()
            await asyncio.sleep(10)
            assert await world.marked.list_ids() == await needing(world, "b0", ledgers)

    run(main())


def test_the_next_auditor_takes_over() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        ledgers = [await world.written(5) for _ in range(20)]
        session = world.store.new_session()
        first, second = world.auditor(QUIET, store=session), world.auditor(QUIET, name="second")
        async with in_office(first):
            await until(lambda: first.leading)
            async with in_office(second):
                await asyncio.sleep(60)
                assert not second.leading
                await session.close()
                await world.kill("b0")
                await asyncio.sleep(10)
                assert second.leading
                assert await world.marked.list_ids() == await needing(world, "b0", ledgers)

    run(main())


class TestLedgerChecks:
    def test_all_ledgers_are_checked_when_it_is_time(self) -> None:
        async def main() -> None:
            world = await RepairWorld(5).begin()
            ledgers = [await world.written(5) for _ in range(20)]
            config = replace(CONFIG, ledger_check_interval_s=10_000)
            async with in_office(world.auditor(config)):
                await asyncio.sleep(60)
                assert await world.marked.list_ids() == []
                first = await world.marked.last_check_ms()
                assert first is not None
                bad = (await world.ensemble_of(ledgers[7]))[1]
                del world.bookies[bad].entries[ledgers[7]][4]
                await asyncio.sleep(9_900)
                assert await world.marked.list_ids() == []
                await asyncio.sleep(200)
                assert await world.marked.list_ids() == [ledgers[7]]
                found = await world.marked.read(ledgers[7])
                assert found is not None
                assert found[0].replicas == (bad,)
            # The next auditor counts from the last check, not from its beginning.
            await world.marked.remove(ledgers[7])
            async with in_office(world.auditor(config)):
                await asyncio.sleep(5_000)
                assert await world.marked.list_ids() == []

        run(main())

    def test_a_ledger_that_is_deleted_meanwhile_is_not_marked(self) -> None:
        async def main() -> None:
            world = await RepairWorld(5).begin()
            ledger_id = await world.written(5)
            auditor = world.auditor(CONFIG)
            for bookie in world.bookies.values():
                bookie.entries.clear()
                bookie.held = True
            check = asyncio.get_running_loop().create_task(auditor.check_ledgers())
            await asyncio.sleep(1)
            await world.registry.delete(ledger_id)
            for bookie in world.bookies.values():
                bookie.held = False
                bookie.run_all()
            await check
            assert await world.marked.list_ids() == []

        run(main())

    def test_a_check_that_fails_is_made_again(self) -> None:
        async def main() -> None:
            world = await RepairWorld(5).begin()
            ledger_id = await world.written(5)
            for name in await world.ensemble_of(ledger_id):
                del world.bookies[name].entries[ledger_id][0]
                break
            session = away_session(world)
            session.failing_reads = 3
            async with in_office(world.auditor(CONFIG, store=session)):
                await asyncio.sleep(60)
                assert await world.marked.list_ids() == [ledger_id]

        run(main())
