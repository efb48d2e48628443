"""Reads from all replicas find who lacks entries."""

import asyncio
from dataclasses import replace

from magnetar_ledger.repair.config import RepairConfig
from magnetar_ledger.repair.ledger_check import LedgerCheck
from magnetar_proto.bookie import Status

from tests.ledger.fake_bookie import ReadCall
from tests.ledger.repair.world import RepairWorld
from tests.ledger.virtual_time import run


async def check_of(world: RepairWorld, config: RepairConfig | None = None) -> LedgerCheck:
    return LedgerCheck(world.tools(), config or RepairConfig(), await world.there.registered())


def test_a_missing_end_is_found_and_a_missing_middle_with_more_reads() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(100)
        metadata = await world.metadata(ledger_id)
        first, second, _ = metadata.segments[0].bookies
        check = await check_of(world)
        assert await check.bad_bookies(ledger_id, metadata) == set()
        assert check.entries_read == 6
        del world.bookies[first].entries[ledger_id][99]
        del world.bookies[second].entries[ledger_id][50]
        assert await check.bad_bookies(ledger_id, metadata) == {first}
        full = await check_of(world, RepairConfig(verification_percent=100))
        assert await full.bad_bookies(ledger_id, metadata) == {first, second}

    run(main())


def test_who_does_not_answer_is_bad_and_not_asked_again() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledgers = [await world.written(10) for _ in range(5)]
        world.bookies["b0"].answer = Status.UNAVAILABLE
        check = await check_of(world)
        before = len(world.bookies["b0"].calls)
        for ledger_id in ledgers:
            metadata = await world.metadata(ledger_id)
            has = "b0" in metadata.segments[0].bookies
            assert await check.bad_bookies(ledger_id, metadata) == ({"b0"} if has else set())
        reads = world.bookies["b0"].calls[before:]
        assert len([call for call in reads if isinstance(call, ReadCall)]) == 2

    run(main())


def test_bookies_that_are_gone_are_for_others_to_judge() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(10)
        metadata = await world.metadata(ledger_id)
        await world.kill(metadata.segments[0].bookies[0])
        check = await check_of(world)
        assert await check.bad_bookies(ledger_id, metadata) == set()

    run(main())


def test_an_open_segment_is_not_looked_at() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(10, close=False)
        metadata = await world.metadata(ledger_id)
        del world.bookies[metadata.segments[0].bookies[0]].entries[ledger_id]
        check = await check_of(world)
        assert await check.bad_bookies(ledger_id, metadata) == set()
        assert check.entries_read == 0

    run(main())


def test_the_rate_is_kept() -> None:
    async def main() -> None:
        world = await RepairWorld().begin()
        ledger_id = await world.written(10)
        metadata = await world.metadata(ledger_id)
        check = await check_of(world, replace(RepairConfig(), check_rate_entries_per_s=10))
        began = asyncio.get_running_loop().time()
        for _ in range(20):
            await check.bad_bookies(ledger_id, metadata)
        assert 11 < asyncio.get_running_loop().time() - began < 12.5

    run(main())
