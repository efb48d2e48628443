"""Cursors of one managed ledger, made and deleted one at a time."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from magnetar_ledger.errors import LedgerClosedError, LedgerError
from magnetar_ledger.managed.cursors import LOADED_AT_ONCE
from magnetar_ledger.position import EARLIEST
from magnetar_metadata.store import MetadataError

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
