"""Where a cursor's state goes: cursor ledger, node, and what is deleted when."""

import asyncio

import pytest
from magnetar_ledger.errors import LedgerError, LedgerMetadataError
from magnetar_ledger.managed.cursor_state import CursorState
from magnetar_ledger.managed.cursor_store import CursorStore
from magnetar_ledger.managed.ledger_list import LedgerList
from magnetar_ledger.position import Position
from magnetar_metadata.managed_ledger_info import ManagedLedgerInfo
from magnetar_metadata.store import UnknownOutcomeError
from magnetar_proto.bookie import Status

from tests.ledger.managed.harness import TOPIC, World, run, until


def new_state(entries: int = 40) -> CursorState:
    ledgers = LedgerList()
    ledgers.append_open(1000)
    ledgers.grow(entries, entries)
    return CursorState(ledgers, Position(1000, -1))


async def new_store(world: World, **config: int) -> CursorStore:
    if await world.registry.read(TOPIC) is None:
        await world.registry.create(TOPIC, ManagedLedgerInfo())
    return CursorStore(TOPIC, "sub", world.deps(**config))


async def cursor_ledger_id(world: World) -> int:
    found = await world.registry.read_cursor(TOPIC, "sub")
    assert found is not None
    return found[0].cursor_ledger_id


async def loaded(world: World) -> CursorState:
    state = new_state()
    assert await (await new_store(world)).load(state)
    return state


def with_holes() -> CursorState:
    state = new_state()
    for entry_id in range(1, 20, 2):
        state.ranges.ack(Position(1000, entry_id))
    return state


def lose_answers(world: World) -> None:
    """From now on changes of metadata are made, and nobody hears of it."""

    def lose(path: str) -> None:
        raise UnknownOutcomeError(path)

    async def no_sync(path: str) -> None:
        lose(path)

    world.store.after_write = lose
    world.store.sync = no_sync  # type: ignore[method-assign]


def find_answers(world: World) -> None:
    world.store.after_write = lambda path: None
    del world.store.sync  # the class has one


def test_a_new_cursor_is_inline_and_gets_a_ledger_with_its_first_write() -> None:
    async def main() -> None:
        world = World()
        store, state = await new_store(world), new_state()
        assert not await store.load(state)
        await store.create(state)
        assert await cursor_ledger_id(world) == -1
        state.ranges.ack(Position(1000, 0))
        await store.write(state)
        first = await cursor_ledger_id(world)
        state.ranges.ack(Position(1000, 1))
        await store.write(state)
        assert await cursor_ledger_id(world) == first
        assert len(world.bookies[0].entries[first]) == 2
        assert (await loaded(world)).ranges.mark_delete == (1000, 1)

    run(main())


def test_a_node_that_cannot_name_the_ledger_leaves_no_ledger() -> None:
    async def main() -> None:
        world = World()
        store, state = await new_store(world), new_state()
        await store.create(state)
        found = await world.registry.read_cursor(TOPIC, "sub")
        assert found is not None
        await world.registry.write_cursor(TOPIC, "sub", *found)
        with pytest.raises(LedgerError):
            await store.write(state)
        assert await world.ledger_registry.list_ids() == []

    run(main())


def test_a_ledger_that_the_node_may_name_stays_until_it_names_another() -> None:
    async def main() -> None:
        world = World()
        store, state = await new_store(world, max_ranges_in_fallback=1), with_holes()
        await store.create(state)
        lose_answers(world)
        with pytest.raises(LedgerMetadataError):
            await store.write(state)
        # If the broker were killed here, the next owner would find all holes.
        found = await loaded(world)
        assert list(found.ranges.ranges()) == list(state.ranges.ranges())
        find_answers(world)
        await store.write(state)
        assert await world.ledger_registry.list_ids() == [await cursor_ledger_id(world)]

    run(main())


def test_a_cancelled_write_leaves_no_ledger_behind_the_next() -> None:
    async def main() -> None:
        world = World()
        store, state = await new_store(world), new_state()
        await store.create(state)
        writing = asyncio.ensure_future(store.write(state))
        await until(lambda: bool(world.bookies[0].calls))
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await store.write(state)
        assert await world.ledger_registry.list_ids() == [await cursor_ledger_id(world)]

    run(main())


def test_a_deleted_cursor_leaves_no_ledger_that_its_node_may_have_named() -> None:
    async def main() -> None:
        world = World()
        store, state = await new_store(world, max_ranges_in_fallback=1), with_holes()
        await store.create(state)
        lose_answers(world)
        with pytest.raises(LedgerMetadataError):
            await store.write(state)
        await store.delete()
        assert await world.ledger_registry.list_ids() == []

    run(main())


def test_too_many_holes_for_the_node_are_never_left_out() -> None:
    async def main() -> None:
        world = World()
        store, state = await new_store(world, max_ranges_in_fallback=5), new_state()
        await store.create(state)
        for entry_id in range(1, 40, 2):
            state.ranges.ack(Position(1000, entry_id))
        world.bookies[0].answer = Status.IO_ERROR
        with pytest.raises(LedgerError):
            await store.write(state)
        world.bookies[0].answer = None
        await store.write(state)
        assert (await loaded(world)).ranges.range_count() == 20

    run(main())


def test_a_state_that_went_back_is_in_the_node() -> None:
    async def main() -> None:
        world = World()
        store, state = await new_store(world), new_state()
        await store.create(state)
        state.ranges.ack_through(Position(1000, 20))
        await store.write(state)
        state.reset(Position(1000, 4))
        await store.rewrite(state)
        assert await cursor_ledger_id(world) == -1
        assert await world.ledger_registry.list_ids() == []
        assert (await loaded(world)).ranges.mark_delete == (1000, 4)

    run(main())


@pytest.mark.parametrize(("ranges", "inline"), [(5, True), (6, False)])
def test_a_closed_cursor_is_inline_if_it_is_small(ranges: int, inline: bool) -> None:
    async def main() -> None:
        world = World()
        store, state = await new_store(world, max_ranges_in_metadata=5), new_state()
        await store.create(state)
        for number in range(ranges):
            state.ranges.ack(Position(1000, 1 + number * 2))
        await store.write(state)
        await store.close(state, changed=False)
        assert (await cursor_ledger_id(world) == -1) == inline
        assert len(await world.ledger_registry.list_ids()) == (0 if inline else 1)
        assert (await loaded(world)).ranges.range_count() == ranges

    run(main())


def test_deleting_twice_is_as_good() -> None:
    async def main() -> None:
        world = World()
        store, state = await new_store(world), new_state()
        await store.create(state)
        await store.write(state)
        await store.delete()
        await store.delete()
        assert await world.registry.cursor_names(TOPIC) == []
        assert await world.ledger_registry.list_ids() == []

    run(main())


def test_a_large_snapshot_takes_several_entries() -> None:
    async def main() -> None:
        world = World()
        store = await new_store(world, cursor_max_entry_bytes=60, max_ranges_as_list=0)
        state = new_state()
        await store.create(state)
        for entry_id in range(1, 40, 2):
            state.ranges.ack(Position(1000, entry_id))
            state.redeliveries.increment(1000, entry_id - 1)
        for entry_id in range(0, 40, 2):
            state.ranges.ack_batch(Position(1000, entry_id), (0b10,), 2)
        await store.write(state)
        assert len(world.bookies[0].entries[await cursor_ledger_id(world)]) == 3
        again = await loaded(world)
        assert again.ranges.range_count() == again.ranges.batch_count == 20
        assert len(again.redeliveries) == 20

    run(main())


def test_a_snapshot_whose_end_is_missing_does_not_count() -> None:
    """Scenario: the broker dies when some entries of a large snapshot are written."""

    async def main() -> None:
        world = World()
        store = await new_store(world, cursor_max_entry_bytes=60)
        state = new_state()
        await store.create(state)
        state.ranges.ack(Position(1000, 5))
        await store.write(state)
        for entry_id in range(0, 40, 2):
            state.ranges.ack_batch(Position(1000, entry_id), (0b10,), 2)
        await store.write(state)
        entries = world.bookies[0].entries[await cursor_ledger_id(world)]
        assert len(entries) == 3
        del entries[max(entries)]
        again = await loaded(world)
        assert (again.ranges.range_count(), again.ranges.batch_count) == (1, 0)

    run(main())


def test_the_ledger_rolls_over_by_size() -> None:
    async def main() -> None:
        world = World()
        store, state = await new_store(world, cursor_max_ledger_bytes=1), new_state()
        await store.create(state)
        await store.write(state)
        first = await cursor_ledger_id(world)
        await store.write(state)
        assert await cursor_ledger_id(world) > first
        assert await world.ledger_registry.list_ids() == [await cursor_ledger_id(world)]

    run(main())


def test_a_full_ledger_goes_on_while_metadata_is_away() -> None:
    async def main() -> None:
        world = World()
        store = await new_store(world, cursor_max_ledger_bytes=1, max_ranges_in_fallback=1)
        state = new_state()
        await store.create(state)
        await store.write(state)
        first, create = await cursor_ledger_id(world), world.store.create

        async def away(path: str, value: bytes, **_: bool) -> str:
            raise UnknownOutcomeError(path)

        world.store.create = away  # type: ignore[method-assign]
        for entry_id in range(1, 20, 2):
            state.ranges.ack(Position(1000, entry_id))
            await store.write(state)
        assert await cursor_ledger_id(world) == first
        found = await loaded(world)
        assert list(found.ranges.ranges()) == list(state.ranges.ranges())
        world.store.create = create  # type: ignore[method-assign]
        # Reading the state has fenced its ledger: the next write needs another one.
        await store.write(state)
        assert await cursor_ledger_id(world) > first

    run(main())


def test_a_ledger_that_the_node_may_have_left_takes_nothing_any_more() -> None:
    """Scenario: the node names the new ledger, and its answer is lost; the old one is not read."""

    async def main() -> None:
        world = World()
        store = await new_store(world, cursor_max_ledger_bytes=1, max_ranges_in_fallback=1)
        state = with_holes()
        await store.create(new_state())
        await store.write(new_state())
        lose_answers(world)
        with pytest.raises(LedgerMetadataError):
            await store.write(state)
        found = await loaded(world)
        assert list(found.ranges.ranges()) == list(state.ranges.ranges())

    run(main())
