"""One ledger made whole: what is missing, lost, silent, or still being written."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from magnetar_ledger.errors import (
    EntryUnreadableError,
    LedgerFencedError,
    NoSuchLedgerError,
    NotEnoughBookiesError,
    SilentBookieError,
)
from magnetar_ledger.repair.bookie_replacement import BookieReplacement
from magnetar_ledger.repair.ledger_repair import LedgerRepair, Repaired, WriterHasTime
from magnetar_metadata.ledger_metadata import LedgerState
from magnetar_metadata.repair_locks import RepairLock, RepairLocks
from magnetar_proto.bookie import Status

from tests.ledger.cluster import payload
from tests.ledger.repair.world import CONFIG, RepairWorld
from tests.ledger.virtual_time import run, turns, until


class Case:
    """A world with a repair, and the lock on a ledger."""

    def __init__(self, world: RepairWorld) -> None:
        self.world = world
        store = world.store.new_session()
        self.locks = RepairLocks(store, "me")
        tools = world.tools(store=store)
        replacement = BookieReplacement(store, self.locks, tools)
        self.repair = LedgerRepair(tools, world.there, replacement, CONFIG)

    async def lock(self, ledger_id: int) -> RepairLock:
        await self.world.marked.mark(ledger_id, ["x"])
        lock = await self.locks.take(ledger_id)
        assert lock is not None
        return lock


def case(
    bookies: int = 4,
) -> Callable[[Callable[[Case], Coroutine[Any, Any, None]]], Callable[[], None]]:
    """Runs a test on a world of its own, in virtual time."""

    def decorate(test: Callable[[Case], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        async def main() -> None:
            await test(Case(await RepairWorld(bookies).begin()))

        def call() -> None:
            run(main())

        call.__name__ = test.__name__
        return call

    return decorate


@case()
async def test_a_whole_ledger_is_left_alone(case: Case) -> None:
    ledger_id = await case.world.written(50)
    before = await case.world.registry.read(ledger_id)
    assert await case.repair.repair(await case.lock(ledger_id)) is Repaired.WHOLE
    assert await case.world.registry.read(ledger_id) == before
    assert case.repair.copier.entries_copied == 0


@case(5)
async def test_lost_bookies_are_replaced_one_after_the_other(case: Case) -> None:
    world = case.world
    ledger_id = await world.written(50)
    first, second, kept = await world.ensemble_of(ledger_id)
    await world.kill(first)
    await world.kill(second)
    assert await case.repair.repair(await case.lock(ledger_id)) is Repaired.WHOLE
    bookies = await world.ensemble_of(ledger_id)
    assert bookies[2] == kept
    assert set(bookies) == set(world.bookies) - {first, second}
    assert await world.lacking(ledger_id) == []


@case()
async def test_what_a_bookie_lacks_is_added_in_its_place(case: Case) -> None:
    world = case.world
    ledger_id = await world.written(50)
    name = (await world.ensemble_of(ledger_id))[1]
    before = dict(world.bookies[name].entries[ledger_id])
    for entry_id in (0, 20, 49):
        del world.bookies[name].entries[ledger_id][entry_id]
    metadata = await world.metadata(ledger_id)
    assert await case.repair.repair(await case.lock(ledger_id)) is Repaired.WHOLE
    assert world.bookies[name].entries[ledger_id] == before
    assert await world.metadata(ledger_id) == metadata


@case()
async def test_a_bookie_whose_entries_stay_bad_is_replaced(case: Case) -> None:
    world = case.world
    ledger_id = await world.written(50)
    name = (await world.ensemble_of(ledger_id))[1]
    world.bookies[name].answer = Status.IO_ERROR  # registered all the time
    assert await case.repair.repair(await case.lock(ledger_id)) is Repaired.WHOLE
    assert name not in await world.ensemble_of(ledger_id)
    assert await world.lacking(ledger_id) == []


@case()
async def test_a_silent_bookie_is_replaced_only_when_it_was_so_for_long(case: Case) -> None:
    world = case.world
    ledger_id = await world.written(50)
    name = (await world.ensemble_of(ledger_id))[1]
    world.bookies[name].answer = Status.TIMEOUT
    lock = await case.lock(ledger_id)
    with pytest.raises(SilentBookieError):
        await case.repair.repair(lock)
    assert name in await world.ensemble_of(ledger_id)
    assert await case.repair.repair(lock, silent_are_lost=True) is Repaired.WHOLE
    assert name not in await world.ensemble_of(ledger_id)
    assert await world.lacking(ledger_id) == []


@case(3)
async def test_without_another_bookie_nothing_changes(case: Case) -> None:
    world = case.world
    ledger_id = await world.written(50)
    before = await world.registry.read(ledger_id)
    await world.kill((await world.ensemble_of(ledger_id))[0])
    with pytest.raises(NotEnoughBookiesError):
        await case.repair.repair(await case.lock(ledger_id))
    assert await world.registry.read(ledger_id) == before


@case()
async def test_a_read_only_bookie_is_not_lost(case: Case) -> None:
    world = case.world
    ledger_id = await world.written(50)
    name = (await world.ensemble_of(ledger_id))[0]
    await world.unregister(name)
    await world.register(name, read_only=True)
    assert await case.repair.repair(await case.lock(ledger_id)) is Repaired.WHOLE
    assert name in await world.ensemble_of(ledger_id)


@case()
async def test_an_entry_that_is_nowhere_is_not_papered_over(case: Case) -> None:
    world = case.world
    ledger_id = await world.written(50)
    ensemble = await world.ensemble_of(ledger_id)
    for name in ensemble:
        del world.bookies[name].entries[ledger_id][30]
    await world.kill(ensemble[0])
    with pytest.raises(EntryUnreadableError):  # the lost one might have it
        await case.repair.repair(await case.lock(ledger_id))
    assert await world.ensemble_of(ledger_id) == ensemble


@case()
async def test_a_deleted_ledger_is_told(case: Case) -> None:
    ledger_id = await case.world.written(5)
    lock = await case.lock(ledger_id)
    await case.world.registry.delete(ledger_id)
    with pytest.raises(NoSuchLedgerError):
        await case.repair.repair(lock)


class TestOpenLedgers:
    @staticmethod
    async def opened(world: RepairWorld, count: int = 20):  # type: ignore[no-untyped-def]
        writer, sink = await world.writer()
        writer.add_all([payload(n) for n in range(count)])
        await until(lambda: sink.count == count)
        await turns()
        return writer, sink

    def test_the_writer_has_time_to_replace_its_bookie(self) -> None:
        @case(5)
        async def test(case: Case) -> None:
            world = case.world
            writer, sink = await self.opened(world)
            lost = writer.metadata.segments[-1].bookies[0]
            await world.kill(lost)
            lock = await case.lock(writer.ledger_id)
            waited = await case.repair.repair(lock)
            assert waited == WriterHasTime(writer.metadata.segments[-1], frozenset([lost]))
            writer.add_all([payload(20)])
            await until(lambda: len(writer.metadata.segments) > 1)  # it does
            assert await case.repair.close_abandoned(lock, waited) is Repaired.WHOLE
            found = await world.metadata(writer.ledger_id)
            assert found.state is LedgerState.OPEN
            assert lost not in {b for segment in found.segments for b in segment.bookies}
            writer.add_all([payload(21)])
            await until(lambda: sink.count == 22)
            await turns()
            await writer.close()
            assert await world.lacking(writer.ledger_id) == []

        test()

    def test_a_writer_that_does_nothing_is_fenced_and_the_ledger_made_whole(self) -> None:
        @case()
        async def test(case: Case) -> None:
            world = case.world
            writer, sink = await self.opened(world)
            lost = writer.metadata.segments[-1].bookies[0]
            await world.kill(lost)
            lock = await case.lock(writer.ledger_id)
            waited = await case.repair.repair(lock)
            assert isinstance(waited, WriterHasTime)
            assert await case.repair.close_abandoned(lock, waited) is Repaired.WHOLE
            found = await world.metadata(writer.ledger_id)
            assert (found.state, found.last_entry_id) == (LedgerState.CLOSED, 19)
            assert await world.lacking(writer.ledger_id) == []
            writer.add_all([payload(20)])
            await until(lambda: sink.error is not None)
            assert isinstance(sink.error, LedgerFencedError)

        test()

    def test_a_bookie_that_comes_back_in_time_fences_nobody(self) -> None:
        @case()
        async def test(case: Case) -> None:
            world = case.world
            writer, _ = await self.opened(world)
            lost = writer.metadata.segments[-1].bookies[0]
            await world.kill(lost)
            lock = await case.lock(writer.ledger_id)
            waited = await case.repair.repair(lock)
            assert isinstance(waited, WriterHasTime)
            await world.revive(lost)
            assert await case.repair.close_abandoned(lock, waited) is Repaired.WHOLE
            assert (await world.metadata(writer.ledger_id)).state is LedgerState.OPEN

        test()

    def test_a_writer_is_not_fenced_for_nothing(self) -> None:
        @case(3)
        async def test(case: Case) -> None:
            world = case.world
            writer, _ = await self.opened(world)
            await world.kill(writer.metadata.segments[-1].bookies[0])
            lock = await case.lock(writer.ledger_id)
            waited = await case.repair.repair(lock)
            assert isinstance(waited, WriterHasTime)
            with pytest.raises(NotEnoughBookiesError):  # nobody could take the lost one's place
                await case.repair.close_abandoned(lock, waited)
            assert (await world.metadata(writer.ledger_id)).state is LedgerState.OPEN

        test()

    def test_a_segment_that_lost_its_bookie_later_gets_its_own_time(self) -> None:
        @case(6)
        async def test(case: Case) -> None:
            world = case.world
            writer, sink = await self.opened(world)
            first = writer.metadata.segments[-1].bookies[0]
            await world.kill(first)
            lock = await case.lock(writer.ledger_id)
            waited = await case.repair.repair(lock)
            assert isinstance(waited, WriterHasTime)
            writer.add_all([payload(20)])
            await until(lambda: sink.count == 21 and len(writer.metadata.segments) > 1)
            second = writer.metadata.segments[-1].bookies[1]
            await world.kill(second)
            again = await case.repair.close_abandoned(lock, waited)
            assert again == WriterHasTime(writer.metadata.segments[-1], frozenset([second]))
            assert (await world.metadata(writer.ledger_id)).state is LedgerState.OPEN

        test()

    def test_earlier_segments_of_an_open_ledger_are_repaired_at_once(self) -> None:
        @case(5)
        async def test(case: Case) -> None:
            world = case.world
            writer, sink = await self.opened(world)
            lost = writer.metadata.segments[-1].bookies[0]
            await world.kill(lost)
            writer.add_all([payload(20)])
            await until(lambda: sink.count == 21 and len(writer.metadata.segments) > 1)
            assert await case.repair.repair(await case.lock(writer.ledger_id)) is Repaired.WHOLE
            found = await world.metadata(writer.ledger_id)
            assert lost not in {b for segment in found.segments for b in segment.bookies}
            writer.add_all([payload(21)])  # the writer is not disturbed
            await until(lambda: sink.count == 22)
            await turns()
            await writer.close()
            assert await world.lacking(writer.ledger_id) == []

        test()
