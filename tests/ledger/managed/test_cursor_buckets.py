"""Buckets of a cursor: what counts after a restart, and that no ledger is ever left over."""

from contextlib import suppress
from typing import Any

import pytest
from magnetar_ledger.errors import LedgerClosedError, LedgerError
from magnetar_ledger.managed import Cursor, ManagedLedger
from magnetar_ledger.managed.cursor_buckets import COMPONENT, CursorBuckets
from magnetar_ledger.position import EARLIEST, Position
from magnetar_metadata.errors import MetadataError
from magnetar_proto.bookie import Status

from tests.ledger.managed.harness import TOPIC, World, append, run
from tests.ledger.virtual_time import turns


class Crash(BaseException):
    """The process is gone."""


class MortalWorld(World):
    """Its process dies before or after a change of metadata, counted from `armed` on."""

    def __init__(self) -> None:
        super().__init__()
        self.left = -1
        for name in ("create", "set", "delete", "multi"):
            self._wrap(name)

    def _wrap(self, name: str) -> None:
        real = getattr(self.store, name)

        async def mortal(*args: Any, **options: Any) -> Any:
            self._step()
            result = await real(*args, **options)
            self._step()
            return result

        setattr(self.store, name, mortal)

    def _step(self) -> None:
        if self.left == 0:
            raise Crash
        if self.left > 0:
            self.left -= 1


def buckets_of(cursor: Cursor) -> CursorBuckets:
    assert cursor.buckets is not None
    return cursor.buckets


async def bucket_ledgers(world: World) -> set[int]:
    """Ids of the ledgers that are buckets."""
    ids = set()
    for ledger_id in await world.ledger_registry.list_ids():
        found = await world.ledger_registry.read(ledger_id)
        if found is not None and found[0].custom["component"] == COMPONENT:
            ids.add(ledger_id)
    return ids


async def opened(world: World) -> tuple[ManagedLedger, Cursor]:
    managed, _ = await world.open()
    return managed, await managed.open_cursor("sub", EARLIEST)


async def contents(buckets: CursorBuckets) -> list[list[bytes]]:
    found = []
    for ledger_id in buckets.kept:
        reader = await buckets.open(ledger_id)
        found.append(await reader.read(0, 10, 10_000))
    return found


def test_what_is_kept_is_there_after_a_restart_with_its_note() -> None:
    async def main() -> None:
        world = World()
        managed, cursor = await opened(world)
        buckets = buckets_of(cursor)
        first = await buckets.write([b"a", b"b"])
        assert buckets.kept == ()
        await buckets.keep([first], "one")
        second = await buckets.write([b"c"])
        await buckets.keep([first, second], "two")
        await cursor.set_properties({"user": "x"})
        assert dict(cursor.properties) == {"user": "x"}
        await managed.close()
        managed, cursor = await opened(world)
        assert dict(cursor.properties) == {"user": "x"}
        assert buckets_of(cursor).note == "two"
        assert await contents(buckets_of(cursor)) == [[b"a", b"b"], [b"c"]]
        await buckets_of(cursor).keep([second], "three")
        assert await bucket_ledgers(world) == {second}
        with pytest.raises(LedgerClosedError):
            await buckets.write([b"late"])

    run(main())


def test_a_reset_and_a_deletion_leave_no_bucket() -> None:
    async def main() -> None:
        world = World()
        managed, appended = await world.open()
        cursor = await managed.open_cursor("sub", EARLIEST)
        buckets = buckets_of(cursor)
        await append(managed, appended, 0, 3)
        await buckets.keep([await buckets.write([b"a"])], "n")
        await cursor.reset(Position(managed.last_position.ledger_id, 1))
        assert (buckets.kept, buckets.note) == ((), "")
        assert await bucket_ledgers(world) == set()
        await buckets.keep([await buckets.write([b"a"])], "n")
        await buckets.write([b"never kept"])
        await managed.delete_cursor("sub")
        assert await bucket_ledgers(world) == set()
        cursor = await managed.open_cursor("sub", EARLIEST)
        await buckets_of(cursor).keep([await buckets_of(cursor).write([b"a"])], "n")
        await managed.delete()
        assert await world.ledger_registry.list_ids() == []

    run(main())


def test_a_transient_cursor_has_none() -> None:
    async def main() -> None:
        managed, _ = await World().open()
        assert managed.open_transient_cursor("reader", EARLIEST).buckets is None

    run(main())


def test_a_bucket_that_could_not_be_written_goes_with_the_next_change() -> None:
    async def main() -> None:
        world = World()
        managed, cursor = await opened(world)
        buckets = buckets_of(cursor)
        world.bookies[0].answer = Status.IO_ERROR
        with pytest.raises(LedgerError):
            await buckets.write([b"a"])
        world.bookies[0].answer = None
        kept = await buckets.write([b"b"])
        await buckets.keep([kept], "")
        assert await bucket_ledgers(world) == {kept}
        await managed.close()

    run(main())


def test_when_keeping_fails_what_was_kept_still_is() -> None:
    async def main() -> None:
        world = World()
        _, cursor = await opened(world)
        buckets = buckets_of(cursor)
        first = await buckets.write([b"a"])
        await buckets.keep([first], "one")
        second = await buckets.write([b"b"])

        def refuse(path: str) -> None:
            raise MetadataError(path, "refused")

        world.store.before_write = refuse
        with pytest.raises(LedgerError):
            await buckets.keep([second], "two")
        assert (buckets.kept, buckets.note) == ((first,), "one")
        world.store.before_write = lambda path: None
        await buckets.keep([first], "one")
        assert await bucket_ledgers(world) == {first}

    run(main())


def test_a_damaged_list_is_passed_over() -> None:
    async def main() -> None:
        world = World()
        managed, cursor = await opened(world)
        cursor._state.cursor_properties = {"#pulsar.internal.magnetar.buckets": "{"}
        await cursor._write_properties()
        await managed.close()
        _, cursor = await opened(world)
        assert buckets_of(cursor).kept == ()

    run(main())


async def life(cursor: Cursor, managed: ManagedLedger) -> None:
    """Everything that is done with buckets."""
    buckets = buckets_of(cursor)
    first = await buckets.write([b"a"])
    await buckets.keep([first], "1")
    second = await buckets.write([b"b"])
    await buckets.keep([first, second], "2")
    await buckets.keep([second], "3")
    await cursor.reset(managed.first_position)
    await buckets.keep([await buckets.write([b"c"])], "4")
    await managed.delete_cursor("sub")


async def die_and_return(steps: int) -> bool:
    """Die after so many steps; whether the life had as many. No ledger may be left after it."""
    world = MortalWorld()
    managed, cursor = await opened(world)
    world.left = steps
    try:
        await life(cursor, managed)
        return False
    except Crash:
        with suppress(Crash):
            await managed._scope.close()  # nothing of the dead process goes on
        world.left = -1
    managed, _ = await world.open()
    await turns(30)
    listed = managed.cursors.get("sub")
    kept = () if listed is None else buckets_of(listed).kept
    assert await bucket_ledgers(world) >= set(kept)
    if listed is not None:
        await managed.delete_cursor("sub")
    else:
        assert await world.registry.read_cursor(TOPIC, "sub") is None
    assert await bucket_ledgers(world) == set(), steps
    return True


def test_a_crash_at_any_step_leaves_no_ledger_over() -> None:
    steps = 0
    while run(die_and_return(steps)):
        steps += 1
    assert steps > 30


def test_leftovers_are_collected_when_the_topic_is_opened() -> None:
    async def main() -> None:
        world = World()
        _, cursor = await opened(world)
        await buckets_of(cursor).write([b"never kept"])
        assert len(await bucket_ledgers(world)) == 1
        await world.open()
        await turns(30)
        assert await bucket_ledgers(world) == set()

    run(main())
