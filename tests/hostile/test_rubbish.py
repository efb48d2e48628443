"""100,000 frames of rubbish into a broker: clean errors, nothing left over.

In one process and virtual time, where tasks can be counted; and into a real process over sockets,
where memory can.
"""

import asyncio
import logging
import os
import random
import select
import socket
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from bench.memory import group_memory_bytes
from bench.raw_connection import RawConnection
from bench.servers import Magnetar
from tests.broker.client import Client
from tests.broker.test_broker_on_ledgers import broker_on, client_of
from tests.interop.official import admin
from tests.ledger.managed.harness import World, run
from tests.proto.golden import golden_frames
from tests.proto.rubbish import mutated, structured

FRAMES: Final = int(os.environ.get("RUBBISH_FRAMES", "100000"))
SEED: Final = int(os.environ.get("RUBBISH_SEED", "20240301"))
CHUNK: Final = 10
MAX_GROWTH_BYTES: Final = 1 << 20
ROUNDS: Final = 4
SMALL: Final = {
    "dbStorage_writeCacheMaxSizeMb": "1",
    "dbStorage_readAheadCacheMaxSizeMb": "1",
    "managedLedgerCacheSizeMB": "1",
    # Damaged names would make a new topic each, which rightly takes memory.
    "allowAutoTopicCreation": "false",
}


def _pool() -> list[bytes]:
    sent = {golden.data for golden in golden_frames() if golden.sender == "client"}
    return sorted(data for data in sent if len(data) < 1000)


def _frame(rng: random.Random, pool: list[bytes]) -> bytes:
    return structured(rng) if rng.random() < 0.7 else mutated(rng, pool)


def test_nothing_is_left_of_rubbish(caplog: pytest.LogCaptureFixture) -> None:
    run(_feed(FRAMES // 2))
    bugs = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not bugs, bugs[0].getMessage()


async def _feed(count: int) -> None:
    rng, pool = random.Random(SEED), _pool()
    world = World()
    async with broker_on(world) as service:
        tasks = len(asyncio.all_tasks())
        client = await client_of(service)
        connections = 1
        for _ in range(count // CHUNK):
            client.feed(b"".join(_frame(rng, pool) for _ in range(CHUNK)))
            await asyncio.sleep(rng.choice([0, 0, 0.001, 0.1]))
            client.transport.written.clear()
            world.bookies[0].calls.clear()
            if client.connection.closed:
                client = await _another(service, client)
                connections += 1
        client.transport.close()
        await asyncio.sleep(120)
        assert connections > count // 1000
        assert not service.connections
        assert len(asyncio.all_tasks()) == tasks
        for topic in service.topics.loaded.values():
            assert not topic.producers
            assert not any(each.consumers for each in topic.subscriptions.values())


async def _another(service: object, client: Client) -> Client:
    await asyncio.sleep(0.01)
    return await client_of(service)  # type: ignore[arg-type]


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads /proc")
def test_a_process_grows_by_less_than_a_mebibyte(tmp_path: Path) -> None:
    server = Magnetar(tmp_path, SMALL)
    server.start()
    try:
        assert server.process is not None
        for name in ("x", "y"):
            admin(server, "PUT", f"/admin/v2/persistent/public/default/{name}")
        sizes_bytes = []
        for _ in range(ROUNDS):
            _send(server.port, FRAMES // ROUNDS, SEED)
            sizes_bytes.append(group_memory_bytes(server.process.pid))
        grown_bytes = [after - before for before, after in pairwise(sizes_bytes)]
        print(f"{FRAMES // ROUNDS} frames each time, grown by {grown_bytes} bytes")
        # What is lost for ever is lost each time; an allocator takes a step now and then.
        assert min(grown_bytes) < MAX_GROWTH_BYTES // ROUNDS
        assert "Traceback" not in server.process.output()
        assert server.stop() == 0
    finally:
        server.kill()


def _send(port: int, count: int, seed: int) -> None:
    rng, pool = random.Random(seed), _pool()
    peer = RawConnection(port)
    for _ in range(count // CHUNK):
        data = b"".join(_frame(rng, pool) for _ in range(CHUNK))
        if not _exchange(peer.socket, data):
            peer.close()
            peer = RawConnection(port)
    peer.close()


def _exchange(peer: socket.socket, data: bytes) -> bool:
    """Sends, and reads what has come by then; false when the broker has closed."""
    try:
        peer.sendall(data)
        while select.select([peer], [], [], 0)[0]:
            if not peer.recv(1 << 16):
                return False
    except ConnectionError:
        return False
    return True
