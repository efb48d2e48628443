"""Frames of rubbish into a broker: clean errors, nothing left over.

In one process and virtual time, where tasks can be counted; and into a real process over sockets,
where memory can.
"""

import asyncio
import logging
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from magnetar_broker.connection import Connection
from magnetar_broker.handler_table import CONNECTED_HANDLERS
from magnetar_broker.service import BrokerService
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import Frame, encode_command

from bench.memory import group_memory_bytes
from bench.raw_connection import RawConnection
from bench.servers import Magnetar
from tests.broker.client import Client
from tests.broker.test_broker_on_ledgers import broker_on, client_of
from tests.hostile.measures import exchange, reset_when_closed
from tests.interop.official import admin
from tests.ledger.managed.harness import World, run
from tests.proto.golden import golden_frames
from tests.proto.rubbish import mutated, repaired, structured

FRAMES: Final = int(os.environ.get("RUBBISH_FRAMES", "20000"))
SEED: Final = int(os.environ.get("RUBBISH_SEED", "20240301"))
MAX_GROWTH_BYTES: Final = 1 << 20
ROUNDS: Final = 8
SIZE_BYTES: Final = 4
FOR_BROKERS: Final = tuple(sorted(CONNECTED_HANDLERS.keys() | {api.BaseCommand.SEND}))
_PING: Final = encode_command(api.CommandPing())
_PONG: Final = encode_command(api.CommandPong())
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
    """Mostly such that the broker gets to its inside."""
    if rng.random() < 0.7:
        return structured(rng, FOR_BROKERS) if rng.random() < 0.9 else structured(rng)
    data = mutated(rng, pool)
    return repaired(data) if rng.random() < 0.8 else data


def test_nothing_is_left_of_rubbish(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled = Counter[int]()
    real = Connection._handle

    def handle(self: Connection, frames: Sequence[Frame]) -> None:
        handled.update(kind for kind, _, _ in frames)
        real(self, frames)

    monkeypatch.setattr(Connection, "_handle", handle)
    run(_feed(FRAMES // 2))
    bugs = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not bugs, bugs[0].getMessage()
    assert handled.total() > FRAMES // 2, "with the greetings more than were sent"
    assert min(handled[kind] for kind in FOR_BROKERS) > FRAMES // 1000


async def _feed(count: int) -> None:
    rng, pool = random.Random(SEED), _pool()
    world = World()
    async with broker_on(world) as service:
        tasks = len(asyncio.all_tasks())
        client = await client_of(service)
        for _ in range(count):
            client.feed(_frame(rng, pool))
            if rng.random() < 0.1:
                await asyncio.sleep(rng.choice([0, 0, 0.001, 0.1]))
            client.transport.written.clear()
            world.bookies[0].calls.clear()
            if client.connection.closed or client.connection._splitter.pending_bytes:
                client.transport.close()
                client = await _another(service)
        client.transport.close()
        await asyncio.sleep(120)
        assert not service.connections
        assert len(asyncio.all_tasks()) == tasks
        for topic in service.topics.loaded.values():
            assert not topic.producers
            assert not any(each.consumers for each in topic.subscriptions.values())


async def _another(service: BrokerService) -> Client:
    await asyncio.sleep(0.01)
    return await client_of(service)


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
            _send(server.port, FRAMES // 2 // ROUNDS, SEED)
            sizes_bytes.append(group_memory_bytes(server.process.pid))
        # An allocator takes and gives back at times; what is lost for ever is there to the end.
        half = ROUNDS // 2
        grown_bytes = min(sizes_bytes[half:]) - min(sizes_bytes[:half])
        print(f"{FRAMES // 4} frames, grown by {grown_bytes} bytes; sizes {sizes_bytes}")
        assert grown_bytes < MAX_GROWTH_BYTES
        assert "Traceback" not in server.process.output()
        assert server.stop() == 0
    finally:
        server.kill()


def _send(port: int, count: int, seed: int) -> None:
    """Frame by frame: a PING behind each tells when it was handled."""
    rng, pool = random.Random(seed), _pool()
    peer = _connected(port)
    for _ in range(count):
        data = _frame(rng, pool)
        if not exchange(peer.socket, data, _PING, _PONG):
            peer.close()
            peer = _connected(port)
    peer.close()


def _connected(port: int) -> RawConnection:
    peer = RawConnection(port)
    reset_when_closed(peer.socket)
    return peer
