"""Cursors of one managed ledger, made and deleted one at a time."""

import asyncio
from typing import Any

import pytest
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.managed.cursors import LOADED_AT_ONCE
from magnetar_ledger.position import EARLIEST
from magnetar_metadata.store import MetadataError

from tests.ledger.managed.harness import World, append, run


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
