"""Reading old ledgers: opened once, followed while written, found by binary search."""

import asyncio

import pytest
from magnetar_ledger.errors import EntryUnreadableError
from magnetar_ledger.managed import Retention
from magnetar_ledger.managed.ledger_list import LedgerList
from magnetar_ledger.managed.ledger_reads import LedgerReads
from magnetar_ledger.position import EARLIEST, Position
from magnetar_proto.bookie import Status

from tests.ledger.managed.harness import World, append, payload, run

KEEP = Retention(time_ms=-1, size_bytes=-1)


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
