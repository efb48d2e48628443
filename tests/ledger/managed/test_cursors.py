"""Cursors of one managed ledger, made and deleted one at a time."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from magnetar_ledger.errors import (
    LedgerClosedError,
    LedgerError,
    LedgerMetadataError,
    ManagedLedgerFencedError,
)
from magnetar_ledger.managed import ManagedLedger
from magnetar_ledger.managed.cursors import LOADED_AT_ONCE
from magnetar_ledger.position import EARLIEST, LATEST
from magnetar_metadata.store import MetadataError, UnknownOutcomeError

from tests.ledger.managed.harness import World, append, run


def delay(world: World, *calls: str) -> None:
    """Answers of the metadata store come late, as over a network."""
    for call in calls:
        _delay(world.store, call)


def _delay(store: Any, call: str) -> None:
    real = getattr(store, call)

    async def late(*args: Any, **options: Any) -> Any:
        result = await real(*args, **options)
        await asyncio.sleep(0.01)
        return result

    setattr(store, call, late)


def test_two_who_ask_for_one_name_get_one_cursor() -> None:
    async def main() -> None:
        managed, _ = await World().open()
        one, other = await asyncio.gather(
            managed.open_cursor("sub", EARLIEST, {"by": "one"}),
            managed.open_cursor("sub", EARLIEST, {"by": "other"}),
        )
        assert one is other
        assert dict(one.properties) == {"by": "one"}
        await managed.close()

    run(main())


def test_durable_ones_come_back_and_transient_ones_do_not() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open()
        await append(managed, appended, 0, 3)
        kept = await managed.open_cursor("kept", EARLIEST)
        managed.open_transient_cursor("reader", EARLIEST)
        kept.ack_cumulative(appended.positions[1])
        assert set(managed.cursors) == {"kept", "reader"}
        await managed.close()
        managed, _ = await world.open()
        assert set(managed.cursors) == {"kept"}
        assert managed.cursors["kept"].mark_delete == appended.positions[1]
        await managed.close()

    run(main())


def test_many_are_loaded_side_by_side_within_a_bound() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open()
        await append(managed, appended, 0, 3)
        names = [f"sub-{number:03}" for number in range(2 * LOADED_AT_ONCE + 3)]
        for number, name in enumerate(names):
            cursor = await managed.open_cursor(name, EARLIEST)
            cursor.ack_cumulative(appended.positions[number % 3])
        await managed.close()
        real, under_way, most = world.store.get, 0, 0

        async def get(path: str) -> Any:
            nonlocal under_way, most
            if "sub-" not in path:
                return await real(path)
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.01)
            under_way -= 1
            return await real(path)

        world.store.get = get  # type: ignore[method-assign]
        managed, _ = await world.open()
        assert most == LOADED_AT_ONCE
        assert list(managed.cursors) == names
        for number, name in enumerate(names):
            assert managed.cursors[name].mark_delete == appended.positions[number % 3]
        await managed.close()

    run(main())


def test_one_that_cannot_be_read_keeps_the_topic_closed() -> None:
    async def main() -> None:
        world = World()
        managed, _ = await world.open()
        for number in range(5):
            await managed.open_cursor(f"sub-{number}", EARLIEST)
        await managed.close()
        real = world.store.get

        async def get(path: str) -> Any:
            if path.endswith("sub-3"):
                raise MetadataError(path, "down")
            return await real(path)

        world.store.get = get  # type: ignore[method-assign]
        with pytest.raises(LedgerError, match="down"):
            await world.open()
        world.store.get = real  # type: ignore[method-assign]
        managed, _ = await world.open()
        assert len(managed.cursors) == 5
        await managed.close()

    run(main())


def test_a_cursor_that_cannot_be_deleted_stays() -> None:
    async def main() -> None:
        world = World()
        managed, _ = await world.open()
        await managed.open_cursor("sub", EARLIEST)
        real = world.store.delete

        async def refuse(path: str, version: int = -1) -> None:
            raise MetadataError(path, "down")

        world.store.delete = refuse  # type: ignore[method-assign]
        with pytest.raises(LedgerError):
            await managed.delete_cursor("sub")
        assert set(managed.cursors) == {"sub"}
        world.store.delete = real  # type: ignore[method-assign]
        await managed.delete_cursor("sub")
        await managed.delete_cursor("sub")
        assert not managed.cursors
        await managed.close()

    run(main())


def test_one_that_is_being_made_while_the_ledger_closes_is_there_for_the_next_owner() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open()
        await append(managed, appended, 0, 3)
        old = await managed.open_cursor("old", EARLIEST)
        delay(world, "create", "set")
        old.ack_cumulative(appended.positions[1])
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(managed.open_cursor("new", EARLIEST))
            await asyncio.sleep(0)
            tasks.create_task(managed.close())
        managed, _ = await world.open()
        assert set(managed.cursors) == {"old", "new"}
        assert managed.cursors["old"].mark_delete == appended.positions[1]
        await managed.close()

    run(main())


def test_one_that_is_being_made_while_the_ledger_is_deleted_is_deleted_too() -> None:
    async def main() -> None:
        world = World()
        managed, _ = await world.open()
        await managed.open_cursor("old", EARLIEST)
        delay(world, "create", "delete")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(managed.open_cursor("new", EARLIEST))
            await asyncio.sleep(0)
            tasks.create_task(managed.delete())
            await asyncio.sleep(0.015)  # the cursors are being deleted
            tasks.create_task(_refused(managed.open_cursor("late", EARLIEST)))
        assert await world.registry.read(managed.name) is None

    run(main())


async def _refused(call: Coroutine[Any, Any, object]) -> None:
    with pytest.raises(LedgerClosedError):
        await call


def test_a_closed_ledger_makes_and_deletes_none() -> None:
    """They are the next owner's: it would not know of the one, and would miss the other."""

    async def main() -> None:
        world = World()
        managed, _ = await world.open()
        await managed.open_cursor("kept", EARLIEST)
        managed.open_transient_cursor("reader", EARLIEST)
        await managed.close()
        await _refused(managed.open_cursor("late", EARLIEST))
        await _refused(managed.delete_cursor("kept"))
        await managed.delete_cursor("reader")
        managed, _ = await world.open()
        assert set(managed.cursors) == {"kept"}
        await managed.close()

    run(main())


def test_a_bug_that_closing_one_meets_keeps_no_other_from_being_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open()
        await append(managed, appended, 0, 3)
        broken = await managed.open_cursor("a", EARLIEST)
        kept = await managed.open_cursor("b", EARLIEST)
        kept.ack_cumulative(appended.positions[1])

        async def close() -> None:
            raise ZeroDivisionError("a bug")

        broken.close = close  # type: ignore[method-assign]
        await managed.close()
        assert "ZeroDivisionError: a bug" in caplog.text
        managed, _ = await world.open()
        assert managed.cursors["b"].mark_delete == appended.positions[1]
        await managed.close()

    run(main())


async def _create_without_an_answer(world: World, managed: ManagedLedger, name: str) -> None:
    """The node is made; the connection goes, and metadata is away when it is looked for."""
    create, sync = world.store.create, world.store.sync

    async def lose_answer(path: str, *args: Any, **options: Any) -> str:
        await create(path, *args, **options)
        raise UnknownOutcomeError(path, "the connection was lost")

    async def away(path: str) -> None:
        raise MetadataError(path, "no server")

    world.store.create, world.store.sync = lose_answer, away  # type: ignore[method-assign]
    with pytest.raises(LedgerMetadataError):
        await managed.open_cursor(name, EARLIEST, {"by": "the first try"})
    world.store.create, world.store.sync = create, sync  # type: ignore[method-assign]


def test_one_that_was_made_without_an_answer_is_found_by_who_asks_again() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open()
        await _create_without_an_answer(world, managed, "sub")
        await append(managed, appended, 0, 3)
        cursor = await managed.open_cursor("sub", LATEST)
        assert dict(cursor.properties) == {"by": "the first try"}
        assert cursor.backlog_entries == 3
        cursor.ack_cumulative(appended.positions[1])
        await managed.close()
        managed, _ = await world.open()
        assert managed.cursors["sub"].mark_delete == appended.positions[1]
        await managed.close()

    run(main())


def test_it_is_found_too_if_the_next_create_has_no_answer_either() -> None:
    async def main() -> None:
        world = World()
        managed, _ = await world.open()
        await _create_without_an_answer(world, managed, "sub")
        create = world.store.create

        async def no_answer(path: str, *args: Any, **options: Any) -> str:
            world.store.create = create  # type: ignore[method-assign]
            raise UnknownOutcomeError(path, "the connection was lost")

        world.store.create = no_answer  # type: ignore[method-assign]
        cursor = await managed.open_cursor("sub", EARLIEST)
        assert dict(cursor.properties) == {"by": "the first try"}
        await managed.close()

    run(main())


def test_one_that_the_next_owner_made_is_left_to_it() -> None:
    """Its cursor ledger above all: opened here, it would be fenced."""

    async def main() -> None:
        world = World()
        old, _ = await world.open()
        new, appended = await world.open()
        await append(new, appended, 0, 3)
        theirs = await new.open_cursor("sub", EARLIEST)
        theirs.ack_cumulative(appended.positions[0])
        await theirs.flush()
        with pytest.raises(ManagedLedgerFencedError):
            await old.open_cursor("sub", EARLIEST)
        with pytest.raises(ManagedLedgerFencedError):
            await old.open_cursor("other", EARLIEST)  # it knows by now
        theirs.ack_cumulative(appended.positions[1])
        await theirs.flush()
        await old.close()
        assert await world.registry.cursor_names(new.name) == ["sub"]
        await new.close()

    run(main())


def test_one_that_is_being_made_when_another_owner_turns_out_is_written_no_more() -> None:
    async def main() -> None:
        world = World()
        managed, _ = await world.open()
        delay(world, "create")
        opening = asyncio.ensure_future(managed.open_cursor("sub", EARLIEST))
        await asyncio.sleep(0)
        managed.fenced(ManagedLedgerFencedError("the session has ended"))
        cursor = await opening
        with pytest.raises(ManagedLedgerFencedError):
            await cursor.set_properties({"by": "nobody"})
        await managed.close()

    run(main())
