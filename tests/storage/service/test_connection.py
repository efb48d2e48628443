"""A connection: what it refuses, what it holds back, how it ends."""

import asyncio
import gc
import weakref

import pytest
from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.requests import (
    FREE_DISK_SPACE,
    TOTAL_DISK_CAPACITY,
    AuthRequest,
    BookieInfoRequest,
    Operation,
    StartTlsRequest,
)
from magnetar_proto.bookkeeper.responses import (
    AuthResponse,
    BookieInfoResponse,
    ErrorResponse,
    ReadResponse,
)
from magnetar_proto.bookkeeper.stream import encode_request

from tests.storage.service.peer import (
    LEDGER,
    VERSION_2,
    VERSION_3,
    Peer,
    World,
    add,
    long_poll,
    read,
)


@pytest.mark.parametrize(("version", "txn_id"), [(VERSION_2, 0), (VERSION_3, 5)])
async def test_whoever_asks_is_let_in(peer: Peer, version: int, txn_id: int) -> None:
    assert await peer.ask(AuthRequest(version, txn_id, "none", b"x")) == [
        AuthResponse(version, txn_id, Status.OK, "AuthDisabledPlugin", b"")
    ]


async def test_bookie_info_gives_what_was_asked_for(world: World, peer: Peer) -> None:
    both = TOTAL_DISK_CAPACITY | FREE_DISK_SPACE
    assert await peer.ask(BookieInfoRequest(1, both), BookieInfoRequest(2, FREE_DISK_SPACE)) == [
        BookieInfoResponse(1, Status.OK, 1000, 400),
        BookieInfoResponse(2, Status.OK, None, 400),
    ]
    world.space = None
    assert await peer.ask(BookieInfoRequest(3, both)) == [BookieInfoResponse(3, Status.IO_ERROR)]


async def test_tls_that_is_not_configured_is_refused(peer: Peer) -> None:
    answer = ErrorResponse(VERSION_3, 4, Operation.START_TLS, Status.BAD_REQUEST)
    assert await peer.ask(StartTlsRequest(4)) == [answer]


async def test_versions_may_alternate(peer: Peer) -> None:
    answers = await peer.ask(add(0, VERSION_2), add(1, VERSION_3, 6), read(0), read(1, VERSION_3))
    assert sorted(each.version for each in answers) == [VERSION_2] * 2 + [VERSION_3] * 2


async def test_a_version_that_is_not_known_is_told(peer: Peer) -> None:
    peer.send_bytes(bytes.fromhex("00000014 03020000 0000000000000007 0000000000000001"))
    await peer.world.settle()
    assert peer.transport.writes == [
        bytes.fromhex("00000018 03020000 00000067 0000000000000007 0000000000000001")
    ]


@pytest.mark.parametrize("junk", ["00000004 02ff0000", "ffffffff", "00000000", "00000004 0aff0000"])
async def test_rubbish_costs_its_own_connection_and_what_came_before_counts(
    world: World, peer: Peer, junk: str
) -> None:
    other = world.peer()
    await peer.ask(add(0))
    peer.send(add(1))
    peer.send_bytes(bytes.fromhex(junk))
    assert peer.transport.closed
    assert world.context.counters.protocol_errors == 1
    await world.settle()
    assert isinstance((await other.ask(read(1)))[0], ReadResponse)
    assert world.box.bookie.engines[0].records[LEDGER].last_entry == 1


async def test_a_flood_of_adds_is_held_until_half_are_answered(world: World) -> None:
    world = await World(world.box.directory / "held", max_pending_adds_per_connection=10).open()
    peer = world.peer()
    world.box.journal_worker.holding = True
    peer.send(*(add(n) for n in range(10)))
    assert not peer.transport.paused
    peer.send(add(10))
    assert peer.transport.paused
    world.box.journal_worker.release()
    await world.settle()
    assert not peer.transport.paused
    assert len(peer.received()) == 11
    await world.box.bookie.close()


async def test_a_bookie_with_too_much_waiting_holds_whoever_adds(world: World, peer: Peer) -> None:
    quiet = world.peer()
    world.box.journal_worker.holding = True
    size = 200_000
    count = 0
    while world.box.bookie.writable:
        peer.send(add(count, size=size))
        count += 1
    assert peer.transport.paused
    assert not quiet.transport.paused
    world.box.journal_worker.release()
    await world.settle()
    assert not peer.transport.paused
    assert len(peer.received()) == count


async def test_a_flood_of_reads_is_held(world: World, peer: Peer) -> None:
    await peer.ask(add(0))
    limit = world.context.limits.max_waiting_reads_per_connection
    peer.send(*(read(0) for _ in range(limit + 10)))
    assert peer.transport.paused
    await world.settle()
    assert not peer.transport.paused
    assert len(peer.received()) == limit + 10


async def test_nothing_is_sent_on_a_lost_connection(world: World, peer: Peer) -> None:
    peer.send(add(0), read(0))
    peer.connection.connection_lost(None)
    await world.settle()
    assert peer.transport.writes == []
    assert peer.gone == [peer.connection]
    assert world.context.counters.connections == 0


async def test_a_peer_that_sends_no_more_is_gone(peer: Peer) -> None:
    peer.connection.eof_received()
    assert peer.transport.closed


async def test_a_chunk_of_many_requests_takes_several_turns(world: World, peer: Peer) -> None:
    info = BookieInfoRequest(1, FREE_DISK_SPACE)
    peer.send(*[info] * 1000)
    assert peer.transport.paused
    peer.connection.flush()
    first = len(peer.received())
    assert 0 < first <= 128
    while peer.connection.held:
        await asyncio.sleep(0)
    await world.settle()
    assert len(peer.received()) == 1000 - first
    assert not peer.transport.paused


async def test_no_further_turn_while_the_peer_does_not_read(world: World, peer: Peer) -> None:
    peer.send(*[BookieInfoRequest(1, FREE_DISK_SPACE)] * 1000)
    peer.connection.pause_writing()
    await world.settle()
    first = len(peer.received())
    assert 0 < first <= 128
    peer.connection.resume_writing()
    while peer.connection.held:
        await asyncio.sleep(0)
    await world.settle()
    assert len(peer.received()) == 1000 - first


async def test_rubbish_behind_many_requests_waits_for_its_turn(world: World, peer: Peer) -> None:
    parts: list[bytes] = []
    for _ in range(300):
        encode_request(BookieInfoRequest(1, FREE_DISK_SPACE), parts)
    peer.send_bytes(b"".join(parts) + bytes.fromhex("0000000402ff0000"))
    assert not peer.transport.closed
    while not peer.transport.closed:
        await asyncio.sleep(0)
    assert len(peer.received()) == 300
    assert world.context.counters.protocol_errors == 1


async def test_a_connection_that_is_lost_takes_no_further_turn(world: World, peer: Peer) -> None:
    peer.send(*[BookieInfoRequest(1, FREE_DISK_SPACE)] * 300)
    peer.connection.connection_lost(None)
    await world.settle()
    assert peer.received() == []


async def test_a_lost_connection_is_not_kept_for_the_collector(world: World) -> None:
    """Under way are an add, a read, a long poll and a batch of requests that waits for its turn."""
    await world.peer().ask(add(0, VERSION_3))
    gc.collect()
    gc.disable()
    try:
        peer = world.peer()
        lost = weakref.ref(peer.connection)
        infos = [BookieInfoRequest(1, FREE_DISK_SPACE)] * 200
        peer.send(add(1, VERSION_3), read(0), long_poll(5, 60_000), *infos)
        peer.connection.connection_lost(None)
        peer.gone.clear()
        del peer
        await world.settle()
        assert lost() is None
    finally:
        gc.enable()
