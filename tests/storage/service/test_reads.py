"""Reads over the wire: single, last, batch, LAC, long polls."""

import asyncio
from typing import Any

import pytest
from magnetar_proto.bookie import FENCE, HIGH_PRIORITY, LAST_ENTRY, Status
from magnetar_proto.bookkeeper.requests import (
    ENTRY_PIGGYBACK,
    BatchReadRequest,
    ReadLacRequest,
    ReadRequest,
)
from magnetar_proto.bookkeeper.responses import BatchReadResponse, ReadLacResponse, ReadResponse
from magnetar_storage.service.limits import ServiceLimits

from tests.storage.service.peer import (
    KEY,
    LEDGER,
    VERSION_2,
    VERSION_3,
    Peer,
    World,
    add,
    entry,
    lac_body,
    long_poll,
    read,
    write_lac,
)

BOTH = pytest.mark.parametrize("version", [VERSION_2, VERSION_3])


def answer(
    version: int,
    status: Status,
    entry_id: int,
    data: bytes | None = None,
    max_lac: int | None = None,
    txn_id: int = 0,
) -> ReadResponse:
    return ReadResponse(version, txn_id, status, LEDGER, entry_id, data, max_lac)


@BOTH
async def test_an_entry_and_the_last_one(peer: Peer, version: int) -> None:
    await peer.ask(*(add(n, version) for n in range(4)))
    lac = None if version == VERSION_2 else 2
    assert await peer.ask(read(1, version)) == [answer(version, Status.OK, 1, entry(1), lac)]
    last = answer(version, Status.OK, LAST_ENTRY, entry(3), lac)
    assert await peer.ask(read(LAST_ENTRY, version)) == [last]


@BOTH
async def test_what_is_not_there(peer: Peer, version: int) -> None:
    assert await peer.ask(read(0, version)) == [answer(version, Status.NO_LEDGER, 0)]
    await peer.ask(add(0, version))
    assert await peer.ask(read(5, version)) == [answer(version, Status.NO_ENTRY, 5)]


@BOTH
async def test_a_fence_of_an_unknown_ledger_holds(peer: Peer, version: int) -> None:
    answers = await peer.ask(read(LAST_ENTRY, version, flags=FENCE, key=KEY))
    assert answers[0].status in (Status.NO_LEDGER, Status.NO_ENTRY)
    answers = await peer.ask(add(0, version))
    assert answers[0].status is Status.FENCED


async def test_a_fence_without_a_key_is_unauthorized(world: World, peer: Peer) -> None:
    await peer.ask(add(0, VERSION_3))
    answers = await peer.ask(read(0, VERSION_3, 5, FENCE))
    assert answers == [answer(VERSION_3, Status.UNAUTHORIZED, 0, txn_id=5)]
    assert (await peer.ask(add(1, VERSION_3)))[0].status is Status.OK


@BOTH
async def test_a_fencing_read_has_no_lac(peer: Peer, version: int) -> None:
    await peer.ask(add(0, version))
    answers = await peer.ask(read(0, version, flags=FENCE, key=KEY))
    assert answers == [answer(version, Status.OK, 0, entry(0))]


async def test_many_reads_are_begun_a_few_at_a_time_and_all_answered(
    world: World, peer: Peer
) -> None:
    await peer.ask(*(add(n) for n in range(50)))
    at_once: list[int] = []
    real = world.box.bookie.read

    def counting(*args: object) -> None:
        real(*args)
        at_once.append(peer.connection._reads._window.in_work)

    world.box.bookie.read = counting
    answers = await peer.ask(*(read(n) for n in range(50)))
    assert [each.entry_id for each in answers] == list(range(50))
    assert max(at_once) == 4


@pytest.mark.parametrize("flags", [HIGH_PRIORITY, FENCE, FENCE | HIGH_PRIORITY])
async def test_many_urgent_reads_are_begun_a_few_at_a_time(
    world: World, peer: Peer, flags: int
) -> None:
    """A flood of them holds no more in memory than one of ordinary reads."""
    await peer.ask(*(add(n) for n in range(50)))
    given: list[int] = []
    real = world.box.bookie.read

    def counting(ledger_id: int, entry_id: int, *rest: Any) -> None:
        real(ledger_id, entry_id, *rest)
        bring = [each for each in peer.connection._reads._in_work.values() if each[2] is not None]
        given.append(len(bring))

    world.box.bookie.read = counting  # type: ignore[method-assign]
    answers = await peer.ask(*(read(n, flags=flags, key=KEY) for n in range(50)))
    assert sorted(each.entry_id for each in answers) == list(range(50))
    assert [each.status for each in answers] == [Status.OK] * 50
    assert max(given) == 4


async def test_urgent_reads_begin_before_others_that_wait(peer: Peer) -> None:
    await peer.ask(*(add(n) for n in range(8)))
    peer.connection.pause_writing()
    ordinary = [read(n) for n in range(4)]
    urgent = [read(n, flags=HIGH_PRIORITY) for n in range(4, 8)]
    assert await peer.ask(*ordinary, *urgent) == []
    peer.connection.resume_writing()
    await peer.world.settle()
    assert [each.entry_id for each in peer.received()] == [4, 5, 6, 7, 0, 1, 2, 3]


async def test_urgent_reads_do_not_wait_for_ordinary_ones_in_work(world: World, peer: Peer) -> None:
    await peer.ask(*(add(n) for n in range(30)))
    answers = await peer.ask(*(read(n) for n in range(20)), read(29, flags=HIGH_PRIORITY))
    assert [each.entry_id for each in answers].index(29) <= 4


async def test_urgent_reads_that_wait_hold_the_socket(peer: Peer) -> None:
    limit = ServiceLimits().max_waiting_reads_per_connection
    await peer.ask(add(0))
    peer.connection.pause_writing()
    for _ in range(limit // 100 + 1):
        await peer.ask(*(read(0, flags=HIGH_PRIORITY) for _ in range(100)))
    assert len(peer.connection._reads._urgent) == limit + 100
    peer.connection.writable = True
    peer.connection._release("output")
    assert peer.transport.paused
    peer.connection._reads.begin_waiting()
    await peer.world.settle()
    assert not peer.transport.paused


async def test_nothing_begins_while_the_peer_does_not_read(world: World, peer: Peer) -> None:
    await peer.ask(*(add(n) for n in range(4)))
    peer.connection.pause_writing()
    assert peer.transport.paused
    reads = world.box.bookie.counters.reads
    assert await peer.ask(read(1), read(2), read(3, flags=HIGH_PRIORITY)) == []
    assert world.box.bookie.counters.reads == reads
    peer.connection.resume_writing()
    assert not peer.transport.paused
    await world.settle()
    assert [each.entry_id for each in peer.received()] == [3, 1, 2]


@pytest.mark.parametrize("whole", [read(0, flags=FENCE, key=KEY), read(-1, flags=FENCE, key=KEY)])
async def test_a_fence_holds_although_its_peer_does_not_read(
    world: World, peer: Peer, whole: ReadRequest
) -> None:
    """Only what it gives waits. Scenario: a recovery is stuck; the old writer must not go on."""
    await peer.ask(add(0))
    writer, reader = world.peer(), world.peer()
    await reader.ask(add(1, VERSION_3))
    assert await reader.ask(long_poll(0, 60_000, 8)) == []
    peer.connection.pause_writing()
    assert await peer.ask(whole) == []
    assert (await writer.ask(add(2)))[0].status is Status.FENCED
    assert [each.status for each in reader.received()] == [Status.OK]  # readers are told
    peer.connection.resume_writing()
    await world.settle()
    (got,) = peer.received()
    assert isinstance(got, ReadResponse)
    assert (got.status, got.entry) == (Status.OK, entry(1 if whole.entry_id < 0 else 0))


async def test_a_fence_with_a_wrong_key_is_refused_also_behind_others(peer: Peer) -> None:
    await peer.ask(add(0))
    peer.connection.pause_writing()
    assert await peer.ask(read(0, flags=FENCE, key=b"\x03" * 20)) == []
    peer.connection.resume_writing()
    await peer.world.settle()
    assert peer.received() == [answer(VERSION_2, Status.UNAUTHORIZED, 0)]
    assert (await peer.ask(add(1)))[0].status is Status.OK


# ---- batches ----


def batch(first: int, count: int, size: int, flags: int = 0, key: bytes = b"") -> BatchReadRequest:
    return BatchReadRequest(VERSION_2, flags, LEDGER, first, 77, count, size, key)


async def test_a_batch_is_bounded_by_entries_by_bytes_and_by_what_is_there(peer: Peer) -> None:
    await peer.ask(*(add(n) for n in range(10)))
    size = len(entry(0))

    async def ids(request: BatchReadRequest) -> int:
        (got,) = await peer.ask(request)
        assert isinstance(got, BatchReadResponse)
        assert (got.status, got.request_id, got.ledger_id) == (Status.OK, 77, LEDGER)
        first = request.first_entry_id
        assert list(got.entries) == [entry(first + n) for n in range(len(got.entries))]
        return len(got.entries)

    assert await ids(batch(0, 3, 1 << 20)) == 3
    assert await ids(batch(0, 0, 1 << 20)) == 10
    assert await ids(batch(0, -1, 0)) == 10
    assert await ids(batch(7, 100, 1 << 20)) == 3
    assert await ids(batch(0, 100, 1)) == 1
    assert await ids(batch(0, 100, 32 + 4 * (size + 4))) == 4
    assert await ids(batch(0, 100, 32 + 4 * (size + 4) - 1)) == 3


async def test_a_batch_whose_first_entry_is_missing_is_an_error(peer: Peer) -> None:
    await peer.ask(add(0))
    assert await peer.ask(batch(1, 5, 1000)) == [
        BatchReadResponse(VERSION_2, Status.NO_ENTRY, LEDGER, 1, 77)
    ]


async def test_a_batch_may_fence(peer: Peer) -> None:
    await peer.ask(add(0))
    await peer.ask(batch(0, 5, 1000, FENCE, KEY))
    assert (await peer.ask(add(1)))[0].status is Status.FENCED


# ---- last add confirmed ----


async def test_the_lac_is_the_highest_that_any_entry_told(peer: Peer) -> None:
    await peer.ask(add(0, VERSION_3), add(5, VERSION_3, lac=3))
    await peer.ask(add(6, VERSION_3, lac=1))
    (got,) = await peer.ask(read(0, VERSION_3))
    assert isinstance(got, ReadResponse)
    assert got.max_lac == 3


async def test_a_writer_with_a_wrong_key_moves_no_lac(peer: Peer) -> None:
    await peer.ask(add(0, VERSION_3))
    await peer.ask(add(1, VERSION_3, lac=1000, key=b"\x03" * 20))
    (got,) = await peer.ask(read(0, VERSION_3))
    assert isinstance(got, ReadResponse)
    assert got.max_lac == -1


async def test_read_lac_gives_the_last_entry(peer: Peer) -> None:
    assert await peer.ask(ReadLacRequest(1, LEDGER)) == [
        ReadLacResponse(1, Status.NO_LEDGER, LEDGER)
    ]
    await peer.ask(add(0), add(1))
    assert await peer.ask(ReadLacRequest(2, LEDGER)) == [
        ReadLacResponse(2, Status.OK, LEDGER, None, entry(1))
    ]


async def test_read_lac_gives_what_the_writer_told_beside_the_last_entry(peer: Peer) -> None:
    await peer.ask(write_lac(-1))
    assert await peer.ask(ReadLacRequest(1, LEDGER)) == [
        ReadLacResponse(1, Status.OK, LEDGER, lac_body(-1), None)
    ]
    await peer.ask(add(0), add(1), write_lac(1), write_lac(0))
    assert await peer.ask(ReadLacRequest(2, LEDGER)) == [
        ReadLacResponse(2, Status.OK, LEDGER, lac_body(1), entry(1))
    ]


async def test_a_lac_that_the_writer_told_counts_after_a_restart(world: World, peer: Peer) -> None:
    await peer.ask(add(0, VERSION_3), add(1, VERSION_3), write_lac(1))
    await world.box.restart()
    later = (await World.behind(world.box)).peer()
    assert await later.ask(read(0, VERSION_3)) == [answer(VERSION_3, Status.OK, 0, entry(0), 1)]
    again = (await World.behind(world.box)).peer()
    assert await again.ask(long_poll(0, 60_000, 8)) == [
        answer(VERSION_3, Status.OK, LAST_ENTRY, None, 1, txn_id=8)
    ]


async def test_a_lac_that_the_writer_tells_wakes_readers(world: World, peer: Peer) -> None:
    await peer.ask(add(0, VERSION_3), add(1, VERSION_3))
    reader = world.peer()
    assert await reader.ask(long_poll(0, 60_000, 8, ENTRY_PIGGYBACK)) == []
    await peer.ask(write_lac(0))
    assert reader.received() == []
    await peer.ask(write_lac(1))
    assert reader.received() == [answer(VERSION_3, Status.OK, 1, entry(1), 1, txn_id=8)]


async def test_a_long_poll_is_answered_at_once_when_the_lac_is_higher(peer: Peer) -> None:
    await peer.ask(*(add(n, VERSION_3) for n in range(4)))
    assert await peer.ask(long_poll(1, 60_000, 8)) == [
        answer(VERSION_3, Status.OK, LAST_ENTRY, None, 2, txn_id=8)
    ]
    assert await peer.ask(long_poll(1, 60_000, 9, ENTRY_PIGGYBACK)) == [
        answer(VERSION_3, Status.OK, 2, entry(2), 2, txn_id=9)
    ]


async def test_a_long_poll_waits_for_the_next_add(world: World, peer: Peer) -> None:
    await peer.ask(add(0, VERSION_3), add(1, VERSION_3))
    reader = world.peer()
    assert await reader.ask(long_poll(0, 60_000, 8, ENTRY_PIGGYBACK)) == []
    await peer.ask(add(2, VERSION_3))
    assert reader.received() == [answer(VERSION_3, Status.OK, 1, entry(1), 1, txn_id=8)]
    assert len(world.context.polls) == 0


async def test_a_long_poll_ends_at_its_time(world: World, peer: Peer) -> None:
    await peer.ask(add(0, VERSION_3))
    assert await peer.ask(long_poll(0, 1, 8)) == []
    while not (got := peer.received()):
        await asyncio.sleep(0.001)
    assert got == [answer(VERSION_3, Status.OK, LAST_ENTRY, None, -1, txn_id=8)]


async def test_a_long_poll_ends_when_the_ledger_is_fenced(world: World, peer: Peer) -> None:
    await peer.ask(add(0, VERSION_3))
    reader = world.peer()
    assert await reader.ask(long_poll(0, 60_000, 8)) == []
    await peer.ask(read(LAST_ENTRY, VERSION_3, flags=FENCE, key=KEY))
    assert [each.status for each in reader.received()] == [Status.OK]


async def test_a_long_poll_of_an_unknown_ledger_says_so(peer: Peer) -> None:
    (got,) = await peer.ask(long_poll(0, 60_000, 8))
    assert got == answer(VERSION_3, Status.NO_LEDGER, LAST_ENTRY, txn_id=8)


async def test_a_long_poll_learns_the_lac_from_the_disk(world: World, peer: Peer) -> None:
    await peer.ask(add(0), add(1))
    world.context.lacs._lacs.clear()  # as after a start
    (got,) = await peer.ask(long_poll(-1, 60_000, 8))
    assert got == answer(VERSION_3, Status.OK, LAST_ENTRY, None, 0, txn_id=8)


async def test_a_reader_that_goes_is_forgotten(world: World, peer: Peer) -> None:
    await peer.ask(add(0, VERSION_3))
    reader = world.peer()
    assert await reader.ask(long_poll(0, 60_000, 8)) == []
    assert len(world.context.polls) == 1
    reader.connection.connection_lost(None)
    assert len(world.context.polls) == 0


async def test_a_piggybacked_entry_that_is_elsewhere_is_no_error(peer: Peer) -> None:
    await peer.ask(add(5, VERSION_3, lac=4))
    request = ReadRequest(VERSION_3, 1, ENTRY_PIGGYBACK, LEDGER, LAST_ENTRY, b"", 2, 60_000)
    assert await peer.ask(request) == [answer(VERSION_3, Status.OK, LAST_ENTRY, None, 4, txn_id=1)]
