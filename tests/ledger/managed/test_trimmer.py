"""Ledgers that nothing holds any more go by themselves."""

import asyncio

from magnetar_ledger.managed import Retention
from magnetar_ledger.position import EARLIEST
from magnetar_metadata.store import Node

from tests.ledger.managed.harness import World, append, run


def test_the_slowest_durable_cursor_holds_data_and_lets_it_go() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=5)
        slow = await managed.open_cursor("slow", EARLIEST)
        fast = await managed.open_cursor("fast", EARLIEST)
        await append(managed, appended, 0, 17)
        fast.ack_cumulative(appended.positions[16])
        await asyncio.sleep(1)
        assert managed.entries_total == 17
        slow.ack_cumulative(appended.positions[11])
        await asyncio.sleep(1)
        assert managed.entries_total == 7
        assert slow.backlog_entries == 5
        await managed.delete_cursor("slow")
        await asyncio.sleep(1)
        assert managed.entries_total == 2
        assert fast.backlog_entries == 0
        await managed.close()

    run(main())


def test_nothing_goes_while_cursors_are_still_being_loaded() -> None:
    """A store that takes its time: after the first cursor, which has acknowledged all, the topic
    begins to write a new ledger long before the second one, which has acknowledged nothing."""

    async def main() -> None:
        world = World()
        managed, appended = await world.open()
        done = await managed.open_cursor("a-done", EARLIEST)
        await managed.open_cursor("b-behind", EARLIEST)
        await append(managed, appended, 0, 10)
        done.ack_cumulative(managed.last_position)
        await managed.close()
        real = world.store.get

        async def slow(path: str) -> Node | None:
            await asyncio.sleep(5 if "b-behind" in path else 0.1)
            return await real(path)

        world.store.get = slow  # type: ignore[method-assign]
        managed, _ = await world.open()
        await asyncio.sleep(60)
        assert managed.entries_total == 10
        assert managed.cursors["b-behind"].backlog_entries == 10
        await managed.close()

    run(main())


def test_truncate_passes_over_retention_but_not_over_cursors() -> None:
    async def main() -> None:
        world = World()
        keep = Retention(time_ms=-1, size_bytes=-1)
        managed, appended = await world.open(max_entries_per_ledger=5, retention=keep)
        cursor = await managed.open_cursor("sub", EARLIEST)
        await append(managed, appended, 0, 17)
        cursor.ack_cumulative(appended.positions[11])
        await managed.trim()
        assert managed.entries_total == 17
        await managed.truncate()
        assert managed.entries_total == 7
        cursor.ack_cumulative(appended.positions[16])
        await managed.truncate()
        assert managed.entries_total == 2, "the ledger that is being written stays"
        await managed.close()

    run(main())
