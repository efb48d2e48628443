"""Cursors: acks at once in memory, kept behind, found again."""

import asyncio
from collections.abc import Callable

import pytest
from magnetar_ledger.errors import LedgerError, ManagedLedgerFencedError
from magnetar_ledger.managed import Cursor, ManagedLedger, Retention
from magnetar_ledger.position import EARLIEST, LATEST, Position
from magnetar_metadata.managed_ledger_info import CursorInfo
from magnetar_metadata.store import MetadataError

from tests.ledger.managed.harness import (
    TOPIC,
    Appended,
    World,
    append,
    run,
)

KEEP = Retention(time_ms=-1, size_bytes=-1)


async def topic(world: World, entries: int = 20) -> tuple[ManagedLedger, Appended, Cursor]:
    managed, appended = await world.open(retention=KEEP)
    await append(managed, appended, 0, entries)
    return managed, appended, await managed.open_cursor("sub", EARLIEST)


async def info(world: World) -> CursorInfo:
    found = await world.registry.read_cursor(TOPIC, "sub")
    assert found is not None
    return found[0]


async def crash_and_open(world: World) -> Cursor:
    managed, _ = await world.open(retention=KEEP)
    return managed.cursors["sub"]


@pytest.mark.parametrize(
    ("initial", "first"),
    [
        (lambda positions: EARLIEST, 0),
        (lambda positions: LATEST, 20),
        (lambda positions: positions[7], 7),
        (lambda positions: Position(positions[0].ledger_id, -1), 0),
    ],
)
def test_a_new_cursor_reads_from_its_initial_position(
    initial: Callable[[list[Position]], Position], first: int
) -> None:
    async def main() -> None:
        managed, appended, _ = await topic(World())
        cursor = await managed.open_cursor("other", initial(appended.positions))
        assert cursor.backlog_entries == 20 - first
        assert cursor.first_unacked() == (appended.positions[0].ledger_id, first)
        assert cursor.durable
        transient = managed.open_transient_cursor("reader", initial(appended.positions))
        assert transient.first_unacked() == cursor.first_unacked()
        assert not transient.durable
        await managed.close()

    run(main())


def test_opening_a_cursor_twice_gives_the_same() -> None:
    async def main() -> None:
        managed, appended, cursor = await topic(World())
        cursor.ack_cumulative(appended.positions[3])
        opened = await asyncio.gather(
            managed.open_cursor("sub", EARLIEST),
            managed.open_cursor("new", LATEST, {"a": "b"}),
            managed.open_cursor("new", EARLIEST, {"c": "d"}),
        )
        assert opened[0] is cursor
        assert opened[1] is opened[2]
        assert opened[1].properties == {"a": "b"}
        await managed.close()

    run(main())


def test_acks_individual_cumulative_and_by_batch_index() -> None:
    async def main() -> None:
        managed, appended, cursor = await topic(World())
        at = appended.positions
        assert cursor.ack_individual(at[1])
        assert cursor.ack_individual(at[1])
        assert not cursor.ack_individual(at[0], [0b10], 2)
        assert cursor.ack_set_of(at[0]) == (0b10,)
        assert (cursor.mark_delete.entry_id, cursor.backlog_entries) == (-1, 19)
        assert cursor.next_unacked(at[1]) == at[2]
        assert cursor.ack_individual(at[0], [0b01], 2)
        assert cursor.mark_delete == at[1]
        cursor.ack_cumulative(at[5], [0b1100])
        assert cursor.mark_delete == at[4]
        assert cursor.ack_set_of(at[5]) == (0b1100,)
        cursor.ack_cumulative(at[5])
        assert cursor.first_unacked() == at[6]
        cursor.ack_cumulative(Position(at[0].ledger_id, 99))
        assert cursor.mark_delete == at[5]
        await managed.close()

    run(main())


def test_a_clean_close_keeps_all_inline() -> None:
    async def main() -> None:
        world = World()
        managed, appended, cursor = await topic(world)
        at = appended.positions
        for number in (0, 1, 3, 7, 8):
            cursor.ack_individual(at[number])
        cursor.ack_individual(at[10], [0b101], 3)
        cursor.set_long_properties({"seen": 5})
        await asyncio.sleep(5)
        assert (await info(world)).cursor_ledger_id >= 0
        await managed.close()
        kept = await info(world)
        assert kept.cursor_ledger_id == -1
        assert kept.mark_delete == at[1]
        assert kept.individual_deleted == ((at[2], at[3]), (at[6], at[8]))
        assert kept.batch_deletes == ((at[10], (0b101,)),)
        assert await world.ledger_registry.list_ids() == await world.listed()
        again = await crash_and_open(world)
        assert [again.is_acked(each) for each in at[:9]] == [n in (0, 1, 3, 7, 8) for n in range(9)]
        assert again.ack_set_of(at[10]) == (0b101,)
        assert again.long_properties == {"seen": 5}

    run(main())


def test_many_ranges_stay_in_the_cursor_ledger_on_close() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(retention=KEEP, max_ranges_in_metadata=5)
        await append(managed, appended, 0, 40)
        cursor = await managed.open_cursor("sub", EARLIEST)
        for position in appended.positions[1::2]:
            cursor.ack_individual(position)
        await managed.close()
        assert (await info(world)).cursor_ledger_id >= 0
        again = await crash_and_open(world)
        assert [again.is_acked(each) for each in appended.positions] == [False, True] * 20

    run(main())


@pytest.mark.parametrize("max_ranges_as_list", [0, 10_000])
def test_a_crash_loses_only_what_the_rate_limit_held_back(max_ranges_as_list: int) -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(retention=KEEP, max_ranges_as_list=max_ranges_as_list)
        await append(managed, appended, 0, 20)
        cursor = await managed.open_cursor("sub", EARLIEST)
        at = appended.positions
        cursor.ack_individual(at[0])
        cursor.ack_individual(at[5])
        await asyncio.sleep(3)
        cursor.ack_individual(at[6])
        await asyncio.sleep(0.5)
        cursor.ack_individual(at[19])
        again = await crash_and_open(world)
        assert [n for n in range(20) if again.is_acked(at[n])] in ([0, 5, 6], [0, 5, 6, 19])

    run(main())


def test_writes_keep_to_the_rate_limit() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(retention=KEEP, mark_delete_rate_limit_per_s=1.0)
        await append(managed, appended, 0, 500)
        cursor = await managed.open_cursor("sub", EARLIEST)
        calls = len(world.bookies[0].calls)
        for position in appended.positions:
            cursor.ack_individual(position)
            await asyncio.sleep(0.01)
        await asyncio.sleep(2)
        assert 5 <= len(world.bookies[0].calls) - calls <= 7
        calls = len(world.bookies[0].calls)
        await asyncio.sleep(600)
        assert len(world.bookies[0].calls) == calls
        await managed.close()

    run(main())


def test_the_cursor_ledger_rolls_and_the_old_one_goes() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(retention=KEEP, cursor_max_entries_per_ledger=3)
        await append(managed, appended, 0, 20)
        cursor = await managed.open_cursor("sub", EARLIEST)
        ids: set[int] = set()
        for position in appended.positions[:7]:
            cursor.ack_individual(position)
            await cursor.flush()
            ids.add((await info(world)).cursor_ledger_id)
        assert len(ids) == 3
        left = set(await world.ledger_registry.list_ids()) - set(await world.listed())
        assert left == {max(ids)}
        again = await crash_and_open(world)
        assert again.mark_delete == appended.positions[6]

    run(main())


def test_the_cursor_ledger_rolls_by_age() -> None:
    async def main() -> None:
        world = World()
        managed, appended, cursor = await topic(world)
        ids: set[int] = set()
        for number in range(3):
            cursor.ack_individual(appended.positions[number])
            await cursor.flush()
            ids.add((await info(world)).cursor_ledger_id)
            await asyncio.sleep(3 * 3600)
        assert len(ids) == 2
        await managed.close()

    run(main())


def test_a_failed_cursor_ledger_falls_back_to_the_node_and_then_to_a_new_ledger() -> None:
    async def main() -> None:
        world = World()
        managed, appended, cursor = await topic(world)
        cursor.ack_individual(appended.positions[0])
        await cursor.flush()
        bookie = world.bookies[0]
        bookie.held = True
        cursor.ack_individual(appended.positions[2])
        flushing = asyncio.ensure_future(cursor.flush())
        await asyncio.sleep(0.1)
        bookie.lose(bookie.pending[0], done=False)
        bookie.held = False
        await flushing
        kept = await info(world)
        assert kept.cursor_ledger_id == -1
        assert len(kept.individual_deleted) == 1
        cursor.ack_individual(appended.positions[4])
        await cursor.flush()
        assert (await info(world)).cursor_ledger_id >= 0
        again = await crash_and_open(world)
        assert [n for n in range(20) if again.is_acked(appended.positions[n])] == [0, 2, 4]
        await managed.close()

    run(main())


@pytest.mark.parametrize("how", ["gone", "garbage"])
def test_an_unreadable_cursor_ledger_goes_back_to_the_node(how: str) -> None:
    async def main() -> None:
        world = World()
        _, appended, cursor = await topic(world)
        cursor.ack_individual(appended.positions[0])
        await cursor.flush()
        cursor.ack_cumulative(appended.positions[9])
        await cursor.flush()
        ledger_id = (await info(world)).cursor_ledger_id
        if how == "gone":
            await world.ledger_registry.delete(ledger_id)
        else:
            entries = world.bookies[0].entries[ledger_id]
            last = max(entries)
            entries[last] = entries[last][:-1] + b"?"
        again = await crash_and_open(world)
        assert again.mark_delete == appended.positions[0]

    run(main())


def test_reset_is_kept_at_once_and_forgets_later_acks() -> None:
    async def main() -> None:
        world = World()
        _, appended, cursor = await topic(world)
        at = appended.positions
        cursor.ack_cumulative(at[9])
        cursor.ack_individual(at[12])
        await cursor.flush()
        await cursor.reset(at[4], [0b110])
        assert cursor.first_unacked() == at[4]
        assert cursor.ack_set_of(at[4]) == (0b110,)
        assert not cursor.is_acked(at[12])
        again = await crash_and_open(world)
        assert again.first_unacked() == at[4]
        assert again.ack_set_of(at[4]) == (0b110,)
        await again.reset(LATEST)
        assert again.backlog_entries == 0
        await again.reset(EARLIEST)
        assert again.backlog_entries == 20

    run(main())


def test_properties_are_kept_in_either_form() -> None:
    async def main() -> None:
        world = World()
        _, appended, cursor = await topic(world)
        await cursor.set_properties({"a": "1"})
        assert (await info(world)).cursor_properties == {"a": "1"}
        cursor.ack_individual(appended.positions[3])
        await cursor.flush()
        await cursor.set_properties({"a": "2"})
        kept = await info(world)
        assert kept.cursor_ledger_id >= 0
        again = await crash_and_open(world)
        assert again.properties == {"a": "2"}
        assert again.is_acked(appended.positions[3])

    run(main())


def test_a_former_owner_cannot_keep_a_cursor() -> None:
    async def main() -> None:
        world = World()
        _, appended, old = await topic(world)
        old.ack_individual(appended.positions[0])
        await old.flush()
        new = await crash_and_open(world)
        new.ack_individual(appended.positions[1])
        await new.flush()
        old.ack_individual(appended.positions[9])
        with pytest.raises(ManagedLedgerFencedError):
            await old.flush()
        again = await crash_and_open(world)
        assert again.mark_delete == appended.positions[1]
        assert not again.is_acked(appended.positions[9])

    run(main())


def test_a_deleted_cursor_leaves_nothing_and_may_come_again() -> None:
    async def main() -> None:
        world = World()
        managed, appended, cursor = await topic(world)
        cursor.ack_cumulative(appended.positions[9])
        await cursor.flush()
        await managed.delete_cursor("sub")
        assert await world.registry.cursor_names(TOPIC) == []
        assert await world.ledger_registry.list_ids() == await world.listed()
        cursor.ack_cumulative(appended.positions[12])
        await asyncio.sleep(5)
        assert await world.registry.cursor_names(TOPIC) == []
        assert (await managed.open_cursor("sub", EARLIEST)).backlog_entries == 20
        await managed.close()

    run(main())


def test_a_cursor_that_cannot_be_kept_is_tried_again() -> None:
    async def main() -> None:
        world = World()
        _, appended, cursor = await topic(world)

        def refuse(path: str) -> None:
            if path.endswith("/sub"):
                raise MetadataError(path, "down")

        world.store.before_write = refuse
        cursor.ack_individual(appended.positions[0])
        await asyncio.sleep(10)
        with pytest.raises(LedgerError):
            await cursor.flush()
        world.store.before_write = lambda path: None
        await asyncio.sleep(61)
        again = await crash_and_open(world)
        assert again.mark_delete == appended.positions[0]

    run(main())


def test_a_cursor_that_cannot_be_deleted_goes_on() -> None:
    async def main() -> None:
        world = World()
        managed, appended, cursor = await topic(world)

        async def refuse(path: str, version: int = -1) -> None:
            raise MetadataError(path, "down")

        delete, world.store.delete = world.store.delete, refuse  # type: ignore[method-assign]
        with pytest.raises(LedgerError):
            await managed.delete_cursor("sub")
        world.store.delete = delete  # type: ignore[method-assign]
        assert managed.cursors["sub"] is cursor
        cursor.ack_individual(appended.positions[0])
        await asyncio.sleep(3)
        assert (await crash_and_open(world)).mark_delete == appended.positions[0]

    run(main())


def test_who_still_holds_a_deleted_cursor_does_not_end_the_topic() -> None:
    """A seek or a flush that was under way finds no node: that is no other owner of the topic."""

    async def main() -> None:
        world = World()
        managed, appended, cursor = await topic(world)
        results = await asyncio.gather(
            managed.delete_cursor("sub"),
            cursor.reset(appended.positions[3]),
            cursor.flush(),
            cursor.set_properties({"a": "b"}),
            return_exceptions=True,
        )
        assert results[0] is None
        assert not any(isinstance(each, ManagedLedgerFencedError) for each in results)
        assert any(isinstance(each, LedgerError) for each in results)
        assert await world.registry.read_cursor(TOPIC, "sub") is None
        await append(managed, appended, 20, 1)
        assert appended.failures == []
        await managed.close()

    run(main())
