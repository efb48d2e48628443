"""Mutated frames of both versions into a bookie: clean errors, nothing left over.

Through the codec and the service, in front of a real engine; and into a real process over sockets.
"""

import asyncio
import logging
import os
import random
import socket
import struct
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from magnetar_proto.bookie import FENCE, HIGH_PRIORITY, LAST_ENTRY, RECOVERY_ADD, Status
from magnetar_proto.bookkeeper import requests as req
from magnetar_proto.bookkeeper.requests import VERSION_2, VERSION_3, Request
from magnetar_proto.bookkeeper.stream import decode_request
from magnetar_proto.errors import FrameError
from magnetar_runtime.system_disk import SystemDisk
from magnetar_storage.service.connection import _HANDLERS

from bench.memory import group_memory_bytes
from tests.hostile.bookie_peer import KEY, add_of, encoded, header_of
from tests.hostile.lone_bookie import LoneBookie
from tests.hostile.measures import exchange, reset_when_closed
from tests.proto.bookkeeper.vectors import REQUESTS
from tests.proto.rubbish import mutated, repaired
from tests.storage.service.peer import Peer, World

FRAMES: Final = int(os.environ.get("RUBBISH_FRAMES", "20000"))
SEED: Final = int(os.environ.get("RUBBISH_SEED", "20240301"))
ROUNDS: Final = 8
MAX_GROWTH_BYTES: Final = 1 << 20
SIZE_BYTES: Final = 4
LEDGERS: Final = 20
ENTRIES: Final = 30
_HELLO: Final = encoded(req.AuthRequest(VERSION_2, 0, "", b""))
_HELLO_BACK: Final = b"AuthDisabledPlugin"


def _pool() -> list[bytes]:
    bodies = [bytes.fromhex(packet) for packet, _ in REQUESTS]
    return [struct.pack(">I", len(body)) + body for body in bodies]


def _request(rng: random.Random) -> Request:
    """One of every kind, of likely values."""
    version, txn_id = rng.choice([(VERSION_2, 0), (VERSION_3, rng.randrange(1 << 64))])
    ledger_id, entry_id = rng.randrange(LEDGERS), rng.randrange(-1, ENTRIES)
    key = rng.choice([KEY, KEY, KEY, b"o" * 20])
    flags = rng.choice([0, 0, FENCE, HIGH_PRIORITY, FENCE | HIGH_PRIORITY])
    fence_key = key if flags & FENCE else b""
    kind = rng.randrange(10)
    if kind < 3:
        add_flags = rng.choice([0, 0, RECOVERY_ADD, HIGH_PRIORITY, RECOVERY_ADD | HIGH_PRIORITY])
        add = add_of(ledger_id, max(0, entry_id), version, key=key, payload=rng.randbytes(30))
        head = add.header if rng.random() < 0.9 else header_of(ledger_id + 1, entry_id)
        return add._replace(txn_id=txn_id, flags=add_flags, header=head)
    if kind < 5:
        return req.ReadRequest(version, txn_id, flags, ledger_id, entry_id, fence_key)
    if kind == 5:
        previous, timeout_ms = rng.randrange(-1, ENTRIES), rng.choice([0, 1, 5, -1, 1 << 62])
        piggyback = rng.choice([0, req.ENTRY_PIGGYBACK])
        return req.ReadRequest(
            VERSION_3, txn_id, piggyback, ledger_id, LAST_ENTRY, b"", previous, timeout_ms
        )
    if kind == 6:
        limits = rng.choice([0, 1, -1, 1 << 30]), rng.choice([0, 1, -1, 1 << 62])
        return req.BatchReadRequest(VERSION_2, flags, ledger_id, entry_id, 7, *limits, fence_key)
    if kind == 7:
        body = struct.pack(">qq", ledger_id, entry_id) + rng.randbytes(rng.choice([0, 4, 8, 200]))
        return req.WriteLacRequest(txn_id, ledger_id, entry_id, key, body)
    return rng.choice(
        [
            req.AuthRequest(version, txn_id, rng.choice(["", "x", "\u00fc"]), rng.randbytes(5)),
            req.ReadLacRequest(txn_id, ledger_id),
            req.ForceLedgerRequest(txn_id, ledger_id),
            req.BookieInfoRequest(txn_id, rng.randrange(-1, 5)),
            req.ListEntriesRequest(txn_id, ledger_id),
            req.StartTlsRequest(txn_id),
        ]
    )


def _frame(rng: random.Random, pool: list[bytes]) -> bytes:
    """Mostly such that the bookie gets to its inside; every second one has some damage."""
    data = encoded(_request(rng)) if rng.random() < 0.9 else rng.choice(pool)
    if rng.random() < 0.5:
        return data
    data = mutated(rng, [data])
    return repaired(data) if rng.random() < 0.9 else data


async def test_nothing_is_left_of_rubbish(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled = Counter[type]()
    for kind, real in list(_HANDLERS.items()):
        monkeypatch.setitem(_HANDLERS, kind, _counting(handled, kind, real))
    world = World(tmp_path)
    world.box.disk = SystemDisk(sync=False)  # type: ignore[assignment]
    await world.open()
    tasks = len(asyncio.all_tasks())
    closed = await _feed(world)
    bugs = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert not bugs, bugs[0].getMessage()
    assert min(handled[kind] for kind in _HANDLERS) > FRAMES // 1000
    assert FRAMES // 100 < closed < FRAMES // 2
    assert len(asyncio.all_tasks()) == tasks
    await world.box.bookie.close()


def _counting(handled: Counter[type], kind: type, real: Any) -> Any:
    def handle(connection: object, request: object) -> None:
        handled[kind] += 1
        real(connection, request)

    return handle


async def _feed(world: World) -> int:
    """Feeds all frames; returns how many connections they cost."""
    rng, pool = random.Random(SEED), _pool()
    peer, closed = world.peer(), 0
    for _ in range(FRAMES):
        peer.send_bytes(_frame(rng, pool))
        if rng.random() < 0.1 or peer.connection.held:
            await asyncio.sleep(0)
        peer.transport.writes.clear()
        peer._read = 0
        if peer.transport.closed or peer.connection._stream.pending_bytes:
            peer.connection.connection_lost(None)
            closed += 1
            peer = world.peer()
    await world.settle()
    while world.context.listings.busy:
        await asyncio.sleep(0)
    assert peer.connection.pending_adds == 0
    _check_that_it_serves(await _ask(peer))
    peer.connection.connection_lost(None)
    assert world.context.counters.connections == 0
    assert len(world.context.polls) == 0
    return closed


async def _ask(peer: Peer) -> list[Status]:
    peer.transport.writes.clear()
    peer._read = 0
    ledger_id = 0x0123_4567_89AB_CDEF  # no damage makes this of others
    requests = [add_of(ledger_id, 0), add_of(ledger_id, 1, VERSION_3)]
    return [each.status for each in await peer.ask(*requests)]


def _check_that_it_serves(statuses: list[Status]) -> None:
    assert statuses == [Status.OK, Status.OK]


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads /proc")
def test_a_process_grows_by_less_than_a_mebibyte(tmp_path: Path) -> None:
    small = {"dbStorage_writeCacheMaxSizeMb": 1, "dbStorage_readAheadCacheMaxSizeMb": 1}
    server = LoneBookie(tmp_path, small)
    server.init_cluster()
    server.start()
    try:
        assert server.process is not None
        lines = server.process.output().count("\n")
        sizes_bytes = []
        for number in range(ROUNDS):
            _send(server.port, FRAMES // 2 // ROUNDS, SEED + number)
            sizes_bytes.append(group_memory_bytes(server.process.pid))
        # An allocator took a MiB in one of the rounds once; what is lost for ever is lost in each.
        steps_bytes = [after - before for before, after in pairwise(sizes_bytes)]
        grown_bytes = sum(steps_bytes) - max(steps_bytes)
        print(f"{FRAMES // 2} frames, grown by {grown_bytes} bytes; sizes {sizes_bytes}")
        assert grown_bytes < MAX_GROWTH_BYTES
        assert server.process.output().count("\n") == lines
        assert server.stop() == 0
    finally:
        server.kill()


def _known_frame(rng: random.Random, pool: list[bytes]) -> bytes:
    """One that makes no ledger of a damaged id: each of these rightly takes memory."""
    while True:
        data = _frame(rng, pool)
        try:
            request = decode_request(data[SIZE_BYTES:])
        except (FrameError, IndexError):
            return data
        ledger_id = getattr(request, "ledger_id", 0)
        makes = isinstance(request, req.AddRequest | req.WriteLacRequest)
        if ledger_id < LEDGERS or not (makes or getattr(request, "flags", 0) & FENCE):
            return data


def _send(port: int, count: int, seed: int) -> None:
    """Frame by frame: an answer to one that is right tells that those before it were handled."""
    rng, pool = random.Random(seed), _pool()
    peer = _connected(port)
    for _ in range(count):
        if not exchange(peer, _known_frame(rng, pool), _HELLO, _HELLO_BACK):
            peer.close()
            peer = _connected(port)
    peer.close()


def _connected(port: int) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", port))
    reset_when_closed(peer)
    return peer
