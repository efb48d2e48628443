"""The managed ledger over the real client: appending, rolling, reading, opening again, ending."""

import asyncio

import pytest
from magnetar_ledger.errors import (
    LedgerClosedError,
    LedgerError,
    ManagedLedgerFencedError,
    ManagedLedgerTerminatedError,
    NoSuchManagedLedgerError,
)
from magnetar_ledger.managed import ManagedLedger, Retention
from magnetar_ledger.position import EARLIEST, LATEST, Position
from magnetar_proto.bookie import Status

from tests.ledger.managed.harness import (
    TOPIC,
    World,
    add,
    append,
    payload,
    read_all,
    run,
    until,
)

KEEP = Retention(time_ms=-1, size_bytes=-1)


def test_entries_come_back_in_order() -> None:
    async def main() -> None:
        managed, appended = await World().open(retention=KEEP)
        assert managed.last_position.entry_id == -1
        assert managed.last_position == managed.first_position
        await append(managed, appended, 0, 20)
        ledger_id = managed.last_position.ledger_id
        assert appended.positions == [(ledger_id, i) for i in range(20)]
        assert (managed.entries_total, managed.size) == (
            20,
            sum(len(payload(i)) for i in range(20)),
        )
        assert await read_all(managed) == [payload(i) for i in range(20)]
        await managed.close()

    run(main())


def test_no_completion_inside_add() -> None:
    async def main() -> None:
        managed, appended = await World().open()
        add(managed, 0, 5)
        assert appended.settled == 0
        await managed.close()
        assert len(appended.positions) == 5
        add(managed, 5, 1)
        assert appended.failures == []
        await until(lambda: appended.settled == 6)
        assert isinstance(appended.failures[0][1], LedgerClosedError)

    run(main())


@pytest.mark.parametrize("burst", [1, 7, 100])
def test_ledgers_roll_at_the_entry_limit(burst: int) -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=10, retention=KEEP)
        for first in range(0, 100, burst):
            await append(managed, appended, first, min(burst, 100 - first))
        await asyncio.sleep(1)
        info = await world.info()
        assert [ledger.entries for ledger in info.ledgers if ledger.timestamp_ms] == [10] * 10
        assert await read_all(managed) == [payload(i) for i in range(100)]
        assert len(appended.positions) == 100
        assert appended.positions == sorted(appended.positions)
        await managed.close()

    run(main())


def test_ledgers_roll_at_the_size_limit() -> None:
    async def main() -> None:
        managed, appended = await World().open(max_ledger_size_bytes=1000, retention=KEEP)
        for _ in range(5):
            managed.add(bytes(600))
        await until(lambda: appended.settled == 5)
        assert [position.entry_id for position in appended.positions] == [0, 1, 0, 1, 0]
        await managed.close()

    run(main())


def test_a_young_ledger_does_not_roll_until_it_is_old_enough() -> None:
    async def main() -> None:
        managed, appended = await World().open(
            max_entries_per_ledger=10, min_ledger_age_ms=60_000, retention=KEEP
        )
        await append(managed, appended, 0, 25)
        assert appended.positions[-1].entry_id == 24
        await asyncio.sleep(61)
        await append(managed, appended, 25, 1)
        assert appended.positions[-1].entry_id == 0
        await managed.close()

    run(main())


def test_an_old_ledger_rolls_unless_it_is_empty() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_ledger_age_ms=60_000, retention=KEEP)
        first = managed.last_position.ledger_id
        await asyncio.sleep(150)
        await append(managed, appended, 0, 1)
        assert appended.positions == [(first, 0)]
        await asyncio.sleep(61)
        await append(managed, appended, 1, 1)
        assert appended.positions[1].ledger_id > first
        await managed.close()

    run(main())


def test_the_next_ledger_stands_ready_before_it_is_needed() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=100, retention=KEEP)
        await append(managed, appended, 0, 89)
        assert len(await world.ledger_registry.list_ids()) == 1
        await append(managed, appended, 89, 2)
        await asyncio.sleep(1)
        ahead = await world.ledger_registry.list_ids()
        assert len(ahead) == 2
        assert len(await world.listed()) == 1
        await append(managed, appended, 91, 10)
        assert await world.listed() == ahead
        assert appended.positions[-1] == (ahead[1], 0)
        await managed.close()

    run(main())


def test_a_ledger_made_ahead_goes_when_it_is_not_used() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=100)
        await append(managed, appended, 0, 95)
        await managed.close()
        assert await world.ledger_registry.list_ids() == await world.listed()

    run(main())


def test_opening_again_finds_all_and_drops_empty_ledgers() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(retention=KEEP)
        await append(managed, appended, 0, 3)
        old = managed.last_position
        await managed.close()
        for _ in range(3):
            managed, appended = await world.open(retention=KEEP)
            assert len(await world.listed()) == 2
            assert managed.last_position == old
            assert await read_all(managed) == [payload(i) for i in range(3)]
            await managed.close()
        info = await world.info()
        assert (info.ledgers[0].entries, info.ledgers[0].size) == (3, 3 * len(payload(0)))
        assert await world.ledger_registry.list_ids() == await world.listed()

    run(main())


def test_a_new_owner_fences_the_old_one() -> None:
    async def main() -> None:
        world = World()
        old, old_appended = await world.open(retention=KEEP)
        await append(old, old_appended, 0, 3)
        new, new_appended = await world.open(retention=KEEP)
        add(old, 100, 2)
        await until(lambda: old_appended.settled == 5)
        assert len(old_appended.positions) == 3
        assert isinstance(old_appended.failures[0][1], ManagedLedgerFencedError)
        with pytest.raises(ManagedLedgerFencedError):
            await old.set_property("a", "b")
        await append(new, new_appended, 3, 2)
        assert await read_all(new) == [payload(i) for i in range(5)]
        await old.close()
        await new.close()

    run(main())


def test_an_old_owner_cannot_roll() -> None:
    async def main() -> None:
        world = World()
        old, old_appended = await world.open(max_entries_per_ledger=3)
        await append(old, old_appended, 0, 2)
        found = await world.registry.read(TOPIC)
        assert found is not None
        await world.registry.write(TOPIC, *found)
        add(old, 2, 3)
        await until(lambda: old_appended.settled == 5)
        assert len(old_appended.positions) == 3
        assert old_appended.failures[0][0] == 2
        assert isinstance(old_appended.failures[0][1], ManagedLedgerFencedError)
        await old.close()

    run(main())


def topic_writes(world: World) -> list[str]:
    """Changes of the topic's nodes; a ledger of its own an old owner may close."""
    return [path for path in world.store.writes if path.startswith("/managed-ledgers")]


class Fences:
    """Who hears that a topic is another owner's."""

    def __init__(self, managed: ManagedLedger) -> None:
        self.heard: list[LedgerError] = []
        managed.on_fenced = self.heard.append


@pytest.mark.parametrize("by", ["append", "property", "trim", "cursor"])
def test_the_first_refused_write_is_told_once_and_nothing_is_written_after_it(by: str) -> None:
    async def main() -> None:
        world = World()
        old, old_appended = await world.open(max_entries_per_ledger=2)
        cursor = await old.open_cursor("s", EARLIEST)
        await append(old, old_appended, 0, 3)
        await until(lambda: len(old.ledgers) == 2)
        fences = Fences(old)
        new, new_appended = await world.open(retention=KEEP)
        theirs = await new.open_cursor("s", EARLIEST)
        if by == "append":
            add(old, 100, 1)
            await until(lambda: old_appended.settled == 4)
        elif by == "property":
            with pytest.raises(ManagedLedgerFencedError):
                await old.set_property("a", "b")
        elif by == "trim":
            cursor.ack_cumulative(old_appended.positions[1])
            with pytest.raises(ManagedLedgerFencedError):
                await old.trim()
        else:
            theirs.ack_cumulative(old_appended.positions[0])
            await theirs.flush()
            cursor.ack_cumulative(old_appended.positions[1])
            with pytest.raises(ManagedLedgerFencedError):
                await cursor.flush()
        assert len(fences.heard) == 1
        world.store.writes.clear()
        cursor.ack_cumulative(old_appended.positions[2])
        add(old, 200, 1)
        await old.close()
        assert topic_writes(world) == []
        assert await read_all(new) == [payload(i) for i in range(3)]
        assert theirs.mark_delete <= old_appended.positions[0]
        await append(new, new_appended, 3, 1)
        await new.close()

    run(main())


def test_a_topic_that_is_given_up_writes_nothing_into_its_cursors() -> None:
    async def main() -> None:
        world = World()
        old, old_appended = await world.open(retention=KEEP)
        cursor = await old.open_cursor("s", EARLIEST)
        await append(old, old_appended, 0, 3)
        cursor.ack_cumulative(old_appended.positions[0])
        await cursor.flush()
        cursor.ack_cumulative(old_appended.positions[2])
        old.fenced(ManagedLedgerFencedError("the session has ended"))
        world.store.writes.clear()
        await old.close()
        assert topic_writes(world) == []
        new, _ = await world.open(retention=KEEP)
        assert new.cursors["s"].mark_delete == old_appended.positions[0]
        await new.close()

    run(main())


def test_a_missing_topic_is_only_made_on_request() -> None:
    async def main() -> None:
        world = World()
        with pytest.raises(NoSuchManagedLedgerError):
            await ManagedLedger.open(TOPIC, world.deps(), create=False)
        managed, _ = await world.open()
        await managed.close()
        await (await ManagedLedger.open(TOPIC, world.deps(), create=False)).close()

    run(main())


def test_reading_begins_at_the_first_existing_entry() -> None:
    async def main() -> None:
        managed, appended = await World().open(max_entries_per_ledger=5, retention=KEEP)
        await append(managed, appended, 0, 12)
        first, second, third = sorted({position.ledger_id for position in appended.positions})
        for asked, found, numbers in [
            (EARLIEST, (first, 0), range(5)),
            (Position(first, -1), (first, 0), range(5)),
            (Position(first, 3), (first, 3), range(3, 5)),
            (Position(first, 5), (second, 0), range(5, 10)),
            (Position(first, 99), (second, 0), range(5, 10)),
            (Position(third, 1), (third, 1), range(11, 12)),
            (Position(third, 2), (third, 2), range(0)),
            (LATEST, None, range(0)),
        ]:
            position, payloads = await managed.read(asked, 100, 10_000)
            assert found is None or position == found
            assert payloads == [payload(i) for i in numbers]
        assert managed.next_position(Position(first, 4)) == (second, 0)
        assert managed.next_position(Position(third, 1)) == (third, 2)
        assert managed.next_position(EARLIEST) == (first, 0)
        assert managed.previous_position(Position(second, 0)) == (first, 4)
        assert managed.entries_between(Position(first, 3), Position(third, 0)) == 7
        await managed.close()

    run(main())


def test_reading_keeps_to_its_limits_and_gives_at_least_one() -> None:
    async def main() -> None:
        world = World()
        for keep_up in (False, True):
            managed, appended = await world.open(retention=KEEP)
            if keep_up:
                managed.open_transient_cursor("reader", EARLIEST)
            for _ in range(4):
                managed.add(bytes(100))
            await until(lambda appended=appended: appended.settled == 4)
            start = appended.positions[0]
            cached = managed.read_cached(start, 3, 10_000)
            assert (cached is not None) == keep_up
            assert len((await managed.read(start, 3, 10_000))[1]) == 3
            assert len((await managed.read(start, 9, 1))[1]) == 1
            assert len((await managed.read(start, 9, 350))[1]) in (2, 3)
            await managed.close()

    run(main())


def test_the_cache_hands_out_the_published_object() -> None:
    async def main() -> None:
        managed, appended = await World().open()
        managed.open_transient_cursor("reader", LATEST)
        published = bytes(range(50))
        managed.add(published)
        await until(lambda: appended.settled == 1)
        found = managed.read_cached(appended.positions[0], 1, 100)
        assert found is not None
        assert found[1][0] is published
        await managed.close()

    run(main())


def test_what_every_active_cursor_has_read_leaves_the_cache() -> None:
    async def main() -> None:
        managed, appended = await World().open()
        fast = managed.open_transient_cursor("fast", EARLIEST)
        slow = managed.open_transient_cursor("slow", EARLIEST)
        idle = managed.open_transient_cursor("idle", EARLIEST)
        idle.active = False
        for number in range(40):
            managed.add(bytes(100_000))
            await until(lambda number=number: appended.settled == number + 1)
            fast.read_position = managed.next_position(appended.positions[-1])
            slow.ack_cumulative(appended.positions[max(number - 3, 0)])
        assert managed.read_cached(appended.positions[5], 1, 100) is None
        assert managed.read_cached(appended.positions[38], 1, 100) is not None
        await managed.close()

    run(main())


def test_find_first_is_a_binary_search_across_ledgers() -> None:
    async def main() -> None:
        managed, appended = await World().open(max_entries_per_ledger=5, retention=KEEP)
        assert await managed.find_first(lambda _: True) is None
        await append(managed, appended, 0, 33)
        for wanted in (0, 4, 5, 17, 32):
            asked: list[int] = []

            def is_behind(data: bytes, wanted: int = wanted, asked: list[int] = asked) -> bool:
                asked.append(int(data.split()[1]))
                return asked[-1] >= wanted

            assert await managed.find_first(is_behind) == appended.positions[wanted]
            assert len(asked) <= 6
        assert await managed.find_first(lambda _: False) is None
        await managed.close()

    run(main())


def test_without_subscription_and_retention_a_closed_ledger_goes() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=5)
        await append(managed, appended, 0, 17)
        await until(lambda: managed.entries_total == 2)
        assert managed.first_position.ledger_id == managed.last_position.ledger_id
        await asyncio.sleep(1)
        assert await world.ledger_registry.list_ids() == await world.listed()
        await managed.close()

    run(main())


def test_a_cursor_at_the_end_moves_on_when_its_ledger_goes() -> None:
    async def main() -> None:
        managed, appended = await World().open(max_entries_per_ledger=5)
        cursor = await managed.open_cursor("sub", EARLIEST)
        await append(managed, appended, 0, 5)
        cursor.ack_cumulative(appended.positions[4])
        await append(managed, appended, 5, 1)
        await asyncio.sleep(1)
        ledger_id = appended.positions[5].ledger_id
        assert managed.first_position == (ledger_id, -1)
        assert cursor.mark_delete == (ledger_id, -1)
        assert cursor.first_unacked() == (ledger_id, 0)
        await managed.close()

    run(main())


def test_retention_keeps_acknowledged_data_for_its_time() -> None:
    async def main() -> None:
        managed, appended = await World().open(
            max_entries_per_ledger=5, retention=Retention(time_ms=60_000, size_bytes=-1)
        )
        await append(managed, appended, 0, 12)
        await managed.trim()
        assert managed.entries_total == 12
        await asyncio.sleep(61)
        await managed.trim()
        assert managed.entries_total == 2
        await managed.close()

    run(main())


def test_a_terminated_topic_takes_nothing_and_stays_readable() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(retention=KEEP)
        await append(managed, appended, 0, 3)
        add(managed, 3, 2)
        assert await managed.terminate() == managed.last_position
        assert len(appended.positions) == 5
        for _ in range(2):
            assert managed.terminated
            add(managed, 9, 1)
            await until(lambda appended=appended: bool(appended.failures))
            assert isinstance(appended.failures[0][1], ManagedLedgerTerminatedError)
            assert await read_all(managed) == [payload(i) for i in range(5)]
            await managed.close()
            managed, appended = await world.open(retention=KEEP)
            assert len(await world.listed()) == 1
        assert await managed.terminate() == managed.last_position
        await managed.close()

    run(main())


def test_a_topic_terminated_while_empty_opens_again() -> None:
    async def main() -> None:
        world = World()
        managed, _ = await world.open()
        last = await managed.terminate()
        await managed.close()
        for _ in range(2):
            managed, _ = await world.open()
            assert managed.last_position == managed.first_position == last
            assert await read_all(managed) == []
            cursor = await managed.open_cursor("sub", EARLIEST)
            assert cursor.backlog_entries == 0
            await managed.set_property("a", "b")
            await managed.trim()
            await managed.close()

    run(main())


def test_properties_stay() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=2, retention=KEEP)
        await managed.set_property("owner", "me")
        await append(managed, appended, 0, 5)
        await managed.set_property("epoch", "7")
        await managed.close()
        managed, _ = await world.open(retention=KEEP)
        assert managed.properties == {"owner": "me", "epoch": "7"}
        await managed.close()

    run(main())


def test_a_deleted_topic_leaves_nothing() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(max_entries_per_ledger=2, retention=KEEP)
        cursor = await managed.open_cursor("sub", EARLIEST)
        await append(managed, appended, 0, 5)
        cursor.ack_individual(appended.positions[0])
        await cursor.flush()
        await managed.delete()
        assert await world.registry.read(TOPIC) is None
        assert await world.ledger_registry.list_ids() == []

    run(main())


def test_back_pressure_comes_from_the_bookie_and_ends() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open()
        called: list[bool] = []
        world.bookies[0].writable = False
        assert not managed.writable
        managed.when_writable(lambda: called.append(managed.writable))
        await asyncio.sleep(1)
        assert called == []
        world.bookies[0].writable = True
        await asyncio.sleep(1)
        assert called == [True]
        await append(managed, appended, 0, 1)
        await managed.close()

    run(main())


def test_ledgers_say_whose_they_are() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open()
        cursor = await managed.open_cursor("sub", EARLIEST)
        await append(managed, appended, 0, 2)
        cursor.ack_individual(appended.positions[0])
        await cursor.flush()
        customs = []
        for ledger_id in await world.ledger_registry.list_ids():
            found = await world.ledger_registry.read(ledger_id)
            assert found is not None
            assert found[0].password == b""
            customs.append(dict(found[0].custom))
        topic = {
            "application": b"pulsar",
            "component": b"managed-ledger",
            "pulsar/managed-ledger": TOPIC.encode(),
        }
        assert customs == [topic, topic | {"pulsar/cursor": b"sub"}]
        await managed.close()

    run(main())


def test_a_bookie_that_cannot_be_read_now_keeps_the_topic_closed_and_whole() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open(retention=KEEP)
        await append(managed, appended, 0, 3)
        world.bookies[0].answer = Status.IO_ERROR
        with pytest.raises(LedgerError):
            await world.open(retention=KEEP)
        world.bookies[0].answer = None
        again, _ = await world.open(retention=KEEP)
        assert await read_all(again) == [payload(i) for i in range(3)]
        await managed.close()
        await again.close()

    run(main())


def test_properties_are_forgotten_one_by_one() -> None:
    async def main() -> None:
        world = World()
        managed, _ = await world.open()
        await managed.change_properties({"a": "1", "b": "2"})
        await managed.change_properties({"a": None, "c": "3", "none": None})
        await managed.close()
        managed, _ = await world.open()
        assert managed.properties == {"b": "2", "c": "3"}
        await managed.close()

    run(main())
