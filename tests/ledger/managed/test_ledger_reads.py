"""Reading old ledgers: opened once, followed while written, found by binary search."""

import asyncio
from dataclasses import replace

import pytest
from magnetar_ledger.errors import EntryUnreadableError
from magnetar_ledger.managed import ManagedLedger, Retention
from magnetar_ledger.managed.ledger_list import LedgerList
from magnetar_ledger.managed.ledger_reads import LedgerReads
from magnetar_ledger.position import EARLIEST, Position
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_proto.bookie import Status

from tests.ledger.fake_bookie import FakeBookie
from tests.ledger.managed.harness import World, append, payload, run

KEEP = Retention(time_ms=-1, size_bytes=-1)
PAIRS = {"ensemble_size": 2, "write_quorum": 2, "ack_quorum": 2}


async def written(world: World, entries: int) -> tuple[LedgerList, LedgerReads]:
    managed, appended = await world.open(retention=KEEP, max_entries_per_ledger=5)
    await append(managed, appended, 0, entries)
    await asyncio.sleep(1)
    await managed.close()
    again, _ = await world.open(retention=KEEP)
    return again._ledgers, LedgerReads(again._ledgers, world.deps())


def test_readers_of_one_ledger_open_it_once() -> None:
    async def main() -> None:
        world = World()
        ledgers, reads = await written(world, 12)
        opened: list[int] = []
        client = reads._client
        original = client.open

        async def counting(ledger_id: int, *, password: bytes, recover: bool) -> object:
            opened.append(ledger_id)
            return await original(ledger_id, password=password, recover=recover)

        client.open = counting  # type: ignore[method-assign, assignment]
        start = Position(ledgers.ids[1], 0)
        found = await asyncio.gather(*(reads.read(start, 5, 1000) for _ in range(4)))
        assert found == [(start, [payload(i) for i in range(5, 10)])] * 4
        assert opened == [ledgers.ids[1]]
        reads.forget([ledgers.ids[1]])
        await reads.read(start, 5, 1000)
        assert opened == [ledgers.ids[1]] * 2

    run(main())


def test_many_ledgers_do_not_keep_many_readers() -> None:
    async def main() -> None:
        ledgers, reads = await written(World(), 5 * 70)
        position, numbers = EARLIEST, []
        while True:
            position, payloads = await reads.read(position, 5, 1000)
            if not payloads:
                break
            numbers += [int(data.split()[1]) for data in payloads]
            position = Position(position.ledger_id, position.entry_id + len(payloads))
        assert numbers == list(range(350))
        assert len(ledgers.ids) > 70
        assert len(reads._readers) <= 64

    run(main())


def test_an_unreadable_entry_is_an_error_and_not_the_end() -> None:
    async def main() -> None:
        world = World()
        ledgers, reads = await written(world, 12)
        await reads.read(EARLIEST, 1, 1)
        world.bookies[0].answer = Status.IO_ERROR
        with pytest.raises(EntryUnreadableError):
            await reads.read(EARLIEST, 1, 1)
        with pytest.raises(EntryUnreadableError):
            await reads.find_first(lambda data: data >= b"")
        world.bookies[0].answer = None
        assert await reads.find_first(lambda data: True) == (ledgers.ids[0], 0)

    run(main())


def test_a_search_goes_on_behind_ledgers_that_are_trimmed_under_way() -> None:
    async def main() -> None:
        ledgers, reads = await written(World(), 12)
        second = ledgers.ids[1]

        def trims(_: bytes) -> bool:
            if ledgers.ids[0] < second:
                ledgers.remove([ledgers.ids[0]])
            return True

        assert await reads.find_first(trims) == (second, 0)

    run(main())


def test_a_search_whose_answer_was_just_trimmed_gives_the_first_that_is_left() -> None:
    async def main() -> None:
        ledgers, reads = await written(World(), 12)
        second, asked = ledgers.ids[1], []

        def trims_at_the_last_question(data: bytes) -> bool:
            asked.append(int(data.split()[1]))
            if asked[-1] == 0:
                ledgers.remove([ledgers.ids[0]])
            return True

        assert await reads.find_first(trims_at_the_last_question) == (second, 0)
        assert asked[-1] == 0

    run(main())


async def repair(world: World, ledger_id: int) -> None:
    """Put all of a ledger's first segment on other bookies, as when its own are gone one by one."""
    found = await world.ledger_registry.read(ledger_id)
    assert found is not None
    metadata, version = found
    first, *others = metadata.segments
    gone = [bookie for bookie in world.bookies if bookie.name in first.bookies]
    new = [FakeBookie(f"{bookie.name}-again") for bookie in gone]
    for old_bookie, new_bookie in zip(gone, new, strict=True):
        new_bookie.entries[ledger_id] = old_bookie.entries.pop(ledger_id)
    moved = replace(first, bookies=tuple(bookie.name for bookie in new))
    world.add_bookies(new)
    await world.ledger_registry.write(
        ledger_id, replace(metadata, segments=(moved, *others)), version
    )


async def first_read(managed: ManagedLedger) -> list[bytes]:
    managed._cache.clear()
    return (await managed.read(Position(managed.ledgers[0][0], 0), 3, 1000))[1]


def test_a_reader_that_is_open_finds_what_repair_has_moved() -> None:
    """Bookies A and B were decommissioned one after the other: all is on C and D."""

    async def main() -> None:
        world = World(2)
        managed, appended = await world.open(retention=KEEP, max_entries_per_ledger=5, **PAIRS)
        await append(managed, appended, 0, 12)
        await asyncio.sleep(1)
        entries = [payload(i) for i in range(3)]
        assert await first_read(managed) == entries
        await repair(world, managed.ledgers[0][0])
        found = await asyncio.gather(*(first_read(managed) for _ in range(3)))
        assert found == [entries] * 3
        await managed.close()

    run(main())


def test_what_repair_has_moved_of_the_ledger_that_is_written_is_found_and_nobody_fenced() -> None:
    async def main() -> None:
        world = World(4)
        managed, appended = await world.open(retention=KEEP, **PAIRS)
        await append(managed, appended, 0, 5)
        ledger_id = managed.open_ledger_id
        found = await world.ledger_registry.read(ledger_id)
        assert found is not None
        failing = next(b for b in world.bookies if b.name == found[0].segments[0].bookies[0])
        failing.answer = Status.UNAVAILABLE
        await append(managed, appended, 5, 5)
        failing.answer = None
        await repair(world, ledger_id)
        assert await first_read(managed) == [payload(i) for i in range(3)]
        await append(managed, appended, 10, 5)
        assert managed.open_ledger_id == ledger_id
        assert appended.failures == []
        assert not any(bookie.fenced for bookie in world.bookies)
        await managed.close()

    run(main())


def test_an_entry_that_stays_unreadable_asks_metadata_only_now_and_then() -> None:
    async def main() -> None:
        world = World()
        _, reads = await written(world, 12)
        await reads.read(EARLIEST, 1, 1)
        world.bookies[0].answer = Status.IO_ERROR
        asked = 0
        original = world.ledger_registry.read

        async def counting(ledger_id: int) -> object:
            nonlocal asked
            asked += 1
            return await original(ledger_id)

        world.ledger_registry.read = counting  # type: ignore[method-assign, assignment]

        async def fail_for(seconds: int) -> None:
            for _ in range(seconds):
                with pytest.raises(EntryUnreadableError):
                    await reads.read(EARLIEST, 1, 1)
                await asyncio.sleep(1)

        await fail_for(9)
        assert asked == 1
        await fail_for(9)
        assert asked == 2

    run(main())


def test_while_metadata_is_away_the_error_is_that_of_the_read() -> None:
    async def main() -> None:
        world = World()
        _, reads = await written(world, 12)
        await reads.read(EARLIEST, 1, 1)
        world.bookies[0].answer = Status.IO_ERROR

        async def away(ledger_id: int) -> object:
            raise UnknownOutcomeError(str(ledger_id))

        world.ledger_registry.read = away  # type: ignore[method-assign, assignment]
        with pytest.raises(EntryUnreadableError):
            await reads.read(EARLIEST, 1, 1)

    run(main())
