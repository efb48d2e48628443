"""A bookie that lost entries gets them back from the others, byte for byte."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest
from magnetar_ledger.digest import entry_id_of
from magnetar_ledger.mending import ReplicaMender
from magnetar_metadata.ledger_metadata import DigestType, LedgerMetadata
from magnetar_proto.bookie import HIGH_PRIORITY, RECOVERY_ADD, Status

from tests.ledger.cluster import Cluster, payload
from tests.ledger.fake_bookie import AddCall, FakeBookie
from tests.ledger.virtual_time import run, until

RATE = 1 << 40
COUNT = 20


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def wrapper(*args: object, **named: object) -> None:
        run(test(*args, **named))

    return wrapper


class World:
    """A closed ledger, and one of its bookies to be mended."""

    def __init__(
        self, cluster: Cluster, ledger_id: int, metadata: LedgerMetadata, place: int
    ) -> None:
        self.cluster = cluster
        self.ledger_id = ledger_id
        self.metadata = metadata
        self.bookie_id = metadata.segments[0].bookies[place]
        self.bookie = cluster.bookies[self.bookie_id]
        self.before = dict(self.entries)
        self.mender = ReplicaMender(cluster.tools(), self.bookie, self.bookie_id, RATE)

    @property
    def entries(self) -> dict[int, bytes]:
        return self.bookie.entries[self.ledger_id]

    @property
    def others(self) -> list[FakeBookie]:
        names = self.metadata.segments[0].bookies
        return [self.cluster.bookies[each] for each in names if each != self.bookie_id]

    async def mend(self, *runs: tuple[int, int]) -> int:
        return await self.mender.mend(self.ledger_id, self.metadata, runs)


async def world_of(write: int = 3, place: int = 1, digest: DigestType = DigestType.CRC32C) -> World:
    cluster = Cluster()
    writer, sink = await cluster.writer(write=write, digest=digest)
    writer.add_all([payload(each) for each in range(COUNT)])
    await until(lambda: sink.count == COUNT)
    await writer.close()
    return World(cluster, writer.ledger_id, await cluster.metadata(writer.ledger_id), place)


@pytest.mark.parametrize("digest", list(DigestType))
@in_virtual_time
async def test_what_was_lost_is_there_again(digest: DigestType) -> None:
    world = await world_of(digest=digest)
    world.entries.clear()
    world.bookie.fenced.add(world.ledger_id)
    assert await world.mend((0, 3), (7, COUNT - 1)) == COUNT - 3
    assert world.entries == {e: v for e, v in world.before.items() if not 3 < e < 7}
    adds = [each for each in world.bookie.calls if isinstance(each, AddCall)][COUNT:]
    assert {each.flags for each in adds} == {RECOVERY_ADD | HIGH_PRIORITY}


@in_virtual_time
async def test_each_from_its_own_write_set() -> None:
    world = await world_of(write=2)
    world.entries.clear()
    runs = [(each, each) for each in world.before]
    assert await world.mend(*runs) == len(runs) == 14
    assert world.entries == world.before


@in_virtual_time
async def test_the_bookie_itself_is_not_asked() -> None:
    """Its bad copy may still be in its memory."""
    world = await world_of()
    world.bookie.calls.clear()
    await world.mend((0, COUNT - 1))
    assert all(isinstance(each, AddCall) for each in world.bookie.calls)


@in_virtual_time
async def test_a_bad_copy_is_not_passed_on() -> None:
    world = await world_of()
    one, other = world.others
    for bad in (one, other):
        entry = bad.entries[world.ledger_id][5]
        bad.entries[world.ledger_id][5] = entry[:-1] + b"?"
    one.entries[world.ledger_id][9] = b"short"
    world.entries.clear()
    assert await world.mend((0, COUNT - 1)) == COUNT - 1
    assert world.entries == {e: v for e, v in world.before.items() if e != 5}


@in_virtual_time
async def test_replicas_that_do_not_answer_or_do_not_have_it() -> None:
    world = await world_of()
    one, other = world.others
    one.answer = Status.UNAVAILABLE
    del other.entries[world.ledger_id][4]
    world.entries.clear()
    assert await world.mend((3, 5)) == 2
    assert sorted(world.entries) == [3, 5]


@in_virtual_time
async def test_an_entry_that_nobody_else_ever_had() -> None:
    cluster = Cluster()
    writer, sink = await cluster.writer(ensemble=1, write=1, ack=1)
    writer.add(payload(0))
    await until(lambda: sink.count == 1)
    await writer.close()
    metadata = await cluster.metadata(writer.ledger_id)
    world = World(cluster, writer.ledger_id, metadata, 0)
    world.entries.clear()
    assert await world.mend((0, 0)) == 0
    world.bookie_id = "of no segment"
    world.mender = ReplicaMender(cluster.tools(), world.bookie, world.bookie_id, RATE)
    assert await world.mend((0, 0)) == 0


@in_virtual_time
async def test_adds_that_fail_are_not_counted() -> None:
    world = await world_of()
    world.entries.clear()
    world.bookie.answer = Status.IO_ERROR
    assert await world.mend((0, 5)) == 0
    world.bookie.answer = None
    world.bookie.held = True
    assert await world.mend((0, 5)) == 0  # after its time
    world.bookie.held = False
    world.bookie.pending.clear()
    assert await world.mend((0, 5)) == 6


@in_virtual_time
async def test_across_a_change_of_the_ensemble() -> None:
    """A batch ends where other bookies begin."""
    cluster = Cluster(bookies=4)
    writer, sink = await cluster.writer()
    writer.add_all([payload(each) for each in range(5)])
    first = writer.metadata.segments[0].bookies
    await until(lambda: sink.count == 5)
    cluster.bookies[first[0]].answer = Status.UNAVAILABLE
    writer.add_all([payload(each) for each in range(5, 10)])
    await until(lambda: sink.count == 10 and len(writer.metadata.segments) == 2)
    await writer.close()
    metadata = await cluster.metadata(writer.ledger_id)
    assert len(metadata.segments) == 2
    world = World(cluster, writer.ledger_id, metadata, 1)
    world.entries.clear()
    assert await world.mend((0, 9)) == 10
    assert {entry_id_of(each) for each in world.entries.values()} == set(range(10))
