"""The ledgers before and behind the current one."""

import asyncio

import pytest
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.managed import Retention
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.store import MetadataError

from tests.ledger.managed.harness import World, append, run

KEEP = Retention(time_ms=-1, size_bytes=-1)


def test_start_leaves_nothing_behind_when_the_list_cannot_be_written() -> None:
    async def main() -> None:
        world = World()
        managed, _ = await world.open()
        await managed.close()
        ids = await world.ledger_registry.list_ids()

        def refuse(path: str) -> None:
            if path.endswith("/events"):
                raise MetadataError(path, "down")

        world.store.before_write = refuse
        with pytest.raises(LedgerError):
            await world.open()
        assert await world.ledger_registry.list_ids() == ids

    run(main())


def test_the_end_of_a_ledger_left_behind_is_not_that_of_the_next() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=5, retention=KEEP)
        behind = managed._appender._writer
        assert behind is not None
        await append(managed, appended, 0, 6)
        behind.sink.writer_failed(LedgerError("late"))
        ledger_id = managed.last_position.ledger_id
        await append(managed, appended, 6, 2)
        assert managed.last_position == (ledger_id, 2)
        await managed.close()

    run(main())


def test_one_next_ledger_is_made_however_many_want_it() -> None:
    """Scenario: a full ledger goes on and waits for metadata, and fails when that is back."""

    async def main() -> None:
        world = World()
        managed, appended = await world.open(retention=KEEP)
        succession, create = managed._appender._succession, managed._chain.create_ledger
        made: list[LedgerWriter] = []

        async def create_slowly() -> LedgerWriter:
            writer = await create()
            made.append(writer)
            await asyncio.sleep(0.5 / len(made))  # the later one is there first
            return writer

        managed._chain.create_ledger = create_slowly  # type: ignore[method-assign]
        succession.when_ready(lambda: None)
        await asyncio.sleep(0.9)  # it looks each second
        writer = await succession.next_writer()
        await asyncio.sleep(1)
        assert made == [writer]
        await append(managed, appended, 0, 1)
        await managed.close()
        assert await world.ledger_registry.list_ids() == await world.listed()

    run(main())
