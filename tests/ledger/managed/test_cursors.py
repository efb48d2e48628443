"""Cursors of one managed ledger, made and deleted one at a time."""

import asyncio

import pytest
from magnetar_ledger.errors import LedgerError
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
