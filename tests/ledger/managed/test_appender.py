"""The way of an entry when ledgers fail, roll or end: order, no loss, bounded tries."""

import asyncio
import gc
import random

import pytest
from magnetar_ledger.errors import LedgerError, ManagedLedgerFencedError
from magnetar_ledger.managed import ManagedLedger, Retention
from magnetar_ledger.position import Position
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.store import MetadataError, UnknownOutcomeError
from magnetar_proto.bookie import Status

from tests.ledger.managed.harness import (
    QUICK,
    TOPIC,
    Appended,
    World,
    add,
    append,
    payload,
    read_all,
    run,
    until,
)

KEEP = Retention(time_ms=-1, size_bytes=-1)


def test_unconfirmed_entries_of_a_failed_ledger_go_to_the_next_in_order() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(retention=KEEP)
        await append(managed, appended, 0, 5)
        bookie = world.bookies[0]
        bookie.held = True
        add(managed, 5, 3)
        # Scenario: the bookie stores two of them, but its answers are lost.
        for call in list(bookie.pending)[:2]:
            bookie.lose(call, done=True)
        bookie.held = False
        add(managed, 8, 4)
        await until(lambda: appended.settled == 12)
        assert appended.failures == []
        assert len({position.ledger_id for position in appended.positions[5:]}) == 1
        assert appended.positions[5].ledger_id > appended.positions[4].ledger_id
        assert await read_all(managed) == [payload(i) for i in range(12)]
        # The stored ones are cut off for whoever opens the topic next, too.
        again, _ = await world.open(retention=KEEP)
        assert await read_all(again) == [payload(i) for i in range(12)]
        await managed.close()
        await again.close()

    run(main())


def test_an_entry_that_no_bookie_takes_does_not_roll_for_ever() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(retention=KEEP, append_tries=3)
        await append(managed, appended, 0, 2)
        before = len(await world.ledger_registry.list_ids())
        world.bookies[0].answer = Status.BAD_REQUEST
        add(managed, 2, 4)
        await until(lambda: appended.settled == 6)
        assert [count for count, _ in appended.failures] == [4]
        assert len(await world.ledger_registry.list_ids()) <= before + 2
        world.bookies[0].answer = None
        add(managed, 6, 1)
        await until(lambda: appended.settled == 7)
        assert [count for count, _ in appended.failures] == [4, 1]
        await asyncio.sleep(QUICK.append_retry_interval_ms / 1000)
        await append(managed, appended, 7, 3)
        assert await read_all(managed) == [payload(i) for i in (0, 1, 7, 8, 9)]
        await managed.close()
        assert len(await world.ledger_registry.list_ids()) == len(await world.listed())

    run(main())


@pytest.mark.parametrize("away", ["refused", "silent"])
def test_a_full_ledger_goes_on_while_metadata_is_away(away: str) -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=3, retention=KEEP)
        back = asyncio.Event()

        async def sync(path: str) -> None:
            if away == "silent":
                await back.wait()
            elif not back.is_set():
                raise MetadataError(path, "down")

        world.store.sync = sync  # type: ignore[method-assign]
        add(managed, 0, 5)
        await until(lambda: appended.settled == 5)
        await append(managed, appended, 5, 20)
        await asyncio.sleep(60)
        await append(managed, appended, 25, 1)
        assert appended.failures == []
        first = appended.positions[0].ledger_id
        assert appended.positions == [Position(first, i) for i in range(26)]
        assert await world.listed() == [first]
        back.set()
        await asyncio.sleep(3)
        await append(managed, appended, 26, 7)
        # It was full, so it ended as soon as it could; from then on the limit holds again.
        assert [position.entry_id for position in appended.positions[26:]] == [0, 1, 2, 0, 1, 2, 0]
        assert await read_all(managed) == [payload(i) for i in range(33)]
        again, _ = await world.open(retention=KEEP)
        assert await read_all(again) == [payload(i) for i in range(33)]
        await again.close()
        await managed.close()

    run(main())


def test_metadata_that_is_slow_is_waited_for_while_the_full_ledger_goes_on() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=3, retention=KEEP)

        async def sync(path: str) -> None:
            await asyncio.sleep(5 * QUICK.roll_over_patience_ms / 1000)

        world.store.sync = sync  # type: ignore[method-assign]
        for number in range(20):
            await append(managed, appended, number, 1)
            await asyncio.sleep(1)
        assert appended.failures == []
        assert len({position.ledger_id for position in appended.positions}) > 1
        assert await read_all(managed) == [payload(i) for i in range(20)]
        await managed.close()

    run(main())


def test_a_refused_list_leaves_the_full_ledger_the_one_that_is_written() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=3, retention=KEEP)

        def refuse(path: str) -> None:
            if path.endswith("/events"):
                raise MetadataError(path, "down")

        world.store.before_write = refuse
        add(managed, 0, 5)
        await until(lambda: appended.settled == 5)
        assert appended.failures == []
        assert len({position.ledger_id for position in appended.positions}) == 1
        world.store.before_write = lambda path: None
        await asyncio.sleep(3)
        await append(managed, appended, 5, 2)
        assert [position.entry_id for position in appended.positions[5:]] == [0, 1]
        assert await read_all(managed) == [payload(i) for i in range(7)]
        await managed.close()
        assert await world.ledger_registry.list_ids() == await world.listed()

    run(main())


def test_a_ledger_that_may_be_listed_as_closed_takes_nothing_any_more() -> None:
    """Scenario: the list is written, and from its answer on metadata is away.

    The next owner does not recover a ledger that is listed as closed.
    """

    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=3, retention=KEEP)
        away = False

        def lose_answer(path: str) -> None:
            nonlocal away
            if path.endswith("/events"):
                away = True
                raise UnknownOutcomeError(path)

        async def sync(path: str) -> None:
            if away:
                raise UnknownOutcomeError(path)

        world.store.after_write = lose_answer
        world.store.sync = sync  # type: ignore[method-assign]
        add(managed, 0, 5)
        await until(lambda: appended.settled == 5)
        assert len(appended.positions) == 3
        assert [count for count, _ in appended.failures] == [2]
        assert not isinstance(appended.failures[0][1], ManagedLedgerFencedError)
        await asyncio.sleep(11)
        add(managed, 5, 1)
        await until(lambda: appended.settled == 6)
        assert len(appended.positions) == 3
        world.store.after_write, away = lambda path: None, False
        await asyncio.sleep(11)
        await append(managed, appended, 6, 2)
        assert await read_all(managed) == [payload(i) for i in (0, 1, 2, 6, 7)]
        again, _ = await world.open(retention=KEEP)
        assert await read_all(again) == [payload(i) for i in (0, 1, 2, 6, 7)]
        await again.close()
        await managed.close()

    run(main())


def test_a_topic_closes_while_its_full_ledger_waits_for_metadata() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=3, retention=KEEP)

        async def sync(path: str) -> None:
            raise UnknownOutcomeError(path)

        world.store.sync = sync  # type: ignore[method-assign]
        await append(managed, appended, 0, 8)
        async with asyncio.timeout(5):
            await managed.close()
        again, _ = await world.open(retention=KEEP)
        assert await read_all(again) == [payload(i) for i in range(8)]
        await again.close()

    run(main())


def test_many_waiting_adds_turn_the_topic_unwritable_until_the_next_ledger() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(
            max_entries_per_ledger=5, max_waiting_appends=3, retention=KEEP
        )
        called: list[bool] = []
        add(managed, 0, 7)
        assert managed.writable
        add(managed, 7, 1)
        assert not managed.writable
        managed.when_writable(lambda: called.append(managed.writable))
        assert called == []
        await until(lambda: appended.settled == 8)
        assert called == [True]
        await managed.close()

    run(main())


def test_closing_waits_for_what_was_sent_and_fails_what_waits() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=5, retention=KEEP)
        add(managed, 0, 8)
        await managed.close()
        assert len(appended.positions) + sum(count for count, _ in appended.failures) == 8
        assert len(appended.positions) >= 5
        again, _ = await world.open(retention=KEEP)
        assert await read_all(again) == [payload(i) for i in range(len(appended.positions))]
        await again.close()

    run(main())


def test_two_owners_at_once_leave_one() -> None:
    """Scenario: the old owner lists its next ledger while the new one recovers the current."""

    async def main() -> None:
        world = World()
        old, appended = await world.open(max_entries_per_ledger=5, retention=KEEP)
        add(old, 0, 7)
        with pytest.raises(ManagedLedgerFencedError):
            await world.open(retention=KEEP)
        new, _ = await world.open(retention=KEEP)
        add(old, 7, 2)
        await until(lambda: appended.settled == 9)
        confirmed = len(appended.positions)
        assert confirmed < 9
        entries = await read_all(new)
        assert entries[:confirmed] == [payload(i) for i in range(confirmed)]
        await old.close()
        await new.close()

    run(main())


@pytest.mark.parametrize("seed", range(12))
def test_failures_at_random_lose_nothing_and_keep_the_order(seed: int) -> None:
    """Entries are numbered; failed ones are sent again behind all before them, as clients do."""

    async def main() -> None:
        rng = random.Random(seed)
        world = World(bookies=3)
        config = {
            "max_entries_per_ledger": rng.choice([4, 9, 100]),
            "retention": KEEP,
            "ensemble_size": rng.choice([1, 2]),
            "append_tries": 2,
        }
        managed, appended = await world.open(**config)
        sent = 0
        for _ in range(60):
            for bookie in world.bookies:
                status = rng.choice([Status.IO_ERROR, Status.TIMEOUT])
                bookie.answer = status if rng.random() < 0.15 else None
            count = rng.randrange(6)
            add(managed, sent, count)
            sent += count
            for _ in range(rng.randrange(30)):
                await asyncio.sleep(0)
            if rng.random() < 0.1:
                await asyncio.sleep(20)
        for bookie in world.bookies:
            bookie.answer = None
        await until(lambda: appended.settled == sent)
        await _check(world, managed, appended)

    async def _check(world: World, managed: ManagedLedger, appended: Appended) -> None:
        numbers = [int(data.split()[1]) for data in await read_all(managed)]
        assert len(numbers) == len(appended.positions) == managed.entries_total
        assert numbers == sorted(set(numbers)), "an entry twice, or before an older one"
        assert appended.positions == sorted(set(appended.positions))
        await managed.close()
        again, _ = await world.open(retention=KEEP)
        assert [int(data.split()[1]) for data in await read_all(again)] == numbers
        await again.close()

    run(main())


@pytest.mark.parametrize("age_s", [0, 539, 541, 599])
def test_a_ledger_that_is_full_but_too_young_takes_entries_until_it_is_old_enough(
    age_s: int,
) -> None:
    """At 90 % of the least age a timer looks again, with more in the ledger than fits."""

    async def main() -> None:
        world = World()
        config = {"max_entries_per_ledger": 10, "min_ledger_age_ms": 600_000}
        managed, appended = await world.open(**config, retention=KEEP)
        await append(managed, appended, 0, 25)
        await asyncio.sleep(age_s)
        managed.add_all([payload(i) for i in range(25, 28)])
        await append(managed, appended, 28, 2)
        assert len(await world.listed()) == 1
        await asyncio.sleep(601)
        await append(managed, appended, 30, 2)
        assert appended.positions[-1].ledger_id > appended.positions[-3].ledger_id
        assert await read_all(managed) == [payload(i) for i in range(32)]
        await managed.close()

    run(main())


def _writers_left() -> int:
    gc.collect()
    return sum(isinstance(each, LedgerWriter) for each in gc.get_objects())


def test_an_open_that_fails_leaves_no_writer_behind() -> None:
    """Each writer has a timer that goes on for ever unless it is closed."""

    async def main() -> None:
        world = World()
        managed, _ = await world.open()
        await managed.open_cursor("sub", Position(-1, -1))
        await managed.close()
        del managed
        before = _writers_left()

        def refuse(path: str) -> None:
            if path.endswith("/events"):
                raise MetadataError(path, "down")

        world.store.before_write = refuse
        with pytest.raises(LedgerError):
            await world.open()
        assert _writers_left() == before
        world.store.before_write = lambda path: None
        # Behind the first ledger: a cursor that cannot be read.
        await world.store.set("/managed-ledgers/" + TOPIC + "/sub", b"\xff\xff")
        with pytest.raises(LedgerError):
            await world.open()
        assert _writers_left() == before

    run(main())
