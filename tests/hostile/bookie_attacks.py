"""Peers of a bookie that misbehave: `python -m tests.hostile.bookie_attacks JSON`.

As `tests.hostile.attacks`, in both versions of the protocol.
"""

import asyncio
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from magnetar_proto import bookkeeper_wire_pb2 as pb
from magnetar_proto.bookie import FENCE, HIGH_PRIORITY, LAST_ENTRY
from magnetar_proto.bookkeeper.requests import (
    VERSION_2,
    VERSION_3,
    AddRequest,
    BatchReadRequest,
    ReadLacRequest,
    ReadRequest,
    Request,
    StartTlsRequest,
    WriteLacRequest,
)

from bench.workers import say_ready, worker_main
from tests.hostile.bookie_peer import KEY, Peer, add_of, encoded

RATE: Final = 200
BACKLOG_LEDGER: Final = 1
BACKLOG_ENTRIES: Final = 64
BACKLOG_ENTRY_BYTES: Final = 1 << 20
GUARDED_LEDGER: Final = 2
OTHER_KEY: Final = b"o" * 20
HALF_PEERS: Final = 200
IDLE_PEERS: Final = 1000
VERSIONS: Final = (VERSION_2, VERSION_3)

Counts = dict[str, Any]


async def oversize(port: int, seconds: float) -> Counts:
    """Announces frames of 100 MB, with the first bytes of an add of each version."""
    size = struct.pack(">I", 100 << 20)
    frames = [size + encoded(add_of(9, 0, version))[4:] for version in VERSIONS]
    return await _offend(port, seconds, frames)


async def unknown_opcode(port: int, seconds: float) -> Counts:
    """Sends packets of version 2 with an operation that it does not have."""
    frames = [bytes.fromhex(f"00000014 02{code:02x}0000") + bytes(16) for code in (0, 4, 6, 200)]
    return await _offend(port, seconds, frames)


async def garbage(port: int, seconds: float) -> Counts:
    """Sends what is no packet: neither of version 2 nor protobuf, or adds that end too soon."""
    add_2, add_3 = (encoded(add_of(9, 0, version)) for version in VERSIONS)
    bodies = [b"\xff" * 40, b"\x0a" + b"\xff" * 40, add_2[4:20], add_3[4:40], b"GET / HTTP/1.1\r\n"]
    return await _offend(port, seconds, [struct.pack(">I", len(b)) + b for b in bodies])


async def _offend(port: int, seconds: float, frames: list[bytes]) -> Counts:
    closed, slowest_s = 0, 0.0
    for number in _ticks(seconds, RATE):
        peer = await Peer.open(port)
        offended_s = time.monotonic()
        peer.writer.write(frames[number % len(frames)])
        await peer.until_closed()
        slowest_s = max(slowest_s, time.monotonic() - offended_s)
        closed += 1
        await asyncio.sleep(1 / RATE)
    return {"offences": closed, "closed": closed, "slowest_s": slowest_s}


async def wrong_key(port: int, seconds: float) -> Counts:
    """Adds, fences and tells LACs with another key than the ledger's, in both versions."""
    requests: list[Request] = [
        add_of(GUARDED_LEDGER, 5, VERSION_2, key=OTHER_KEY),
        add_of(GUARDED_LEDGER, 5, VERSION_3, key=OTHER_KEY),
        add_of(GUARDED_LEDGER, 5, VERSION_3, key=b"short"),
        ReadRequest(VERSION_2, 0, 1, GUARDED_LEDGER, 0, OTHER_KEY),
        ReadRequest(VERSION_3, 7, 1, GUARDED_LEDGER, 0, OTHER_KEY),
        WriteLacRequest(7, GUARDED_LEDGER, 5, OTHER_KEY, GUARDED_LEDGER.to_bytes(8) + bytes(8)),
    ]
    return await _answered(port, seconds, requests)


async def refused(port: int, seconds: float) -> Counts:
    """Asks for what there is not: operations that nobody serves, TLS without a certificate."""
    requests: list[Request] = [StartTlsRequest(7)]
    raw = [
        _unserved(pb.RANGE_READ_ENTRY),
        _unserved(pb.BATCH_READ_ENTRY),
        bytes.fromhex("00000014 03020000 0000000000000007 0000000000000001"),
    ]
    return await _answered(port, seconds, requests, raw)


def _unserved(operation: int) -> bytes:
    header = pb.BKPacketHeader(version=pb.VERSION_THREE, operation=operation, txnId=7)
    body = pb.Request(header=header).SerializeToString()
    return struct.pack(">I", len(body)) + body


async def _answered(
    port: int, seconds: float, requests: list[Request], raw: list[bytes] | None = None
) -> Counts:
    peer = await Peer.open(port)
    frames = [encoded(request) for request in requests] + (raw or [])
    statuses = Counter[str]()
    for number in _ticks(seconds, RATE):
        peer.writer.write(frames[number % len(frames)])
        (answer,) = await peer.read()
        statuses[answer.status.name] += 1
        await asyncio.sleep(1 / RATE)
    peer.writer.close()
    return {"offences": statuses.total(), "statuses": dict(statuses), "peers": 1}


async def never_reads(port: int, seconds: float) -> Counts:
    """Asks for a backlog of large entries again and again, and reads nothing of it."""
    peers = [await Peer.open(port) for _ in range(5)]
    singles = [ReadRequest(VERSION_2, 0, 0, BACKLOG_LEDGER, n) for n in range(BACKLOG_ENTRIES)]
    thirds = [each._replace(version=VERSION_3, txn_id=each.entry_id) for each in singles]
    batch = BatchReadRequest(VERSION_2, 0, BACKLOG_LEDGER, 0, 1, 0, 5 << 20)
    urgent, fences = (
        batch._replace(flags=HIGH_PRIORITY),
        batch._replace(flags=FENCE, master_key=KEY),
    )
    asked = (singles, thirds, [batch], [urgent], [fences])
    for peer, requests in zip(peers, asked, strict=True):
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        peer.send(*requests * (500 // len(requests)))
    await asyncio.sleep(seconds)
    for peer in peers:
        peer.writer.transport.abort()
    return {"peers": len(peers)}


async def half_frames(port: int, seconds: float) -> Counts:
    """Sends the beginning of a frame of 5 MB; some go on with a byte now and then, none ends."""
    peers = [await Peer.open(port) for _ in range(HALF_PEERS)]
    for number, peer in enumerate(peers):
        request = add_of(9, 0, VERSIONS[number % 2], payload=bytes(5 << 20))
        peer.writer.write(encoded(request)[: 32 << 10])
    ends = [asyncio.create_task(peer.until_closed()) for peer in peers]
    for _ in range(int(seconds * 10)):
        for peer in peers[::10]:
            peer.writer.write(b"x")
        await asyncio.sleep(0.1)
    return await _closed(peers, ends)


async def idle(port: int, seconds: float) -> Counts:
    """A thousand clients that connect and do nothing else; some of them have added an entry."""
    peers = [await Peer.open(port) for _ in range(IDLE_PEERS)]
    for number, peer in enumerate(peers[::10]):
        await peer.ask(add_of(1000 + number, 0, VERSIONS[number % 2]))
    ends = [asyncio.create_task(peer.until_closed()) for peer in peers]
    say_ready()
    await asyncio.wait(ends, timeout=seconds)
    return await _closed(peers, ends)


async def _closed(peers: list[Peer], ends: "list[asyncio.Task[float]]") -> Counts:
    closed = sum(end.done() for end in ends)
    for end in ends:
        end.cancel()
    await asyncio.gather(*ends, return_exceptions=True)
    for peer in peers:
        peer.writer.transport.abort()
    return {"peers": len(peers), "closed": closed}


async def requests_unread(port: int, seconds: float) -> Counts:
    """Asks thousands of things in one go, every second, and reads no answer."""
    peer = await Peer.open(port)
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    burst: list[Request] = []
    for number in range(2000):
        burst += [
            ReadLacRequest(number, GUARDED_LEDGER),
            ReadRequest(VERSION_3, number, 0, 50_000 + number, LAST_ENTRY),
            ReadRequest(VERSION_3, number, 0, GUARDED_LEDGER, LAST_ENTRY, b"", 100, 60_000),
        ]
    for _ in range(int(seconds)):
        peer.send(*burst)
        await asyncio.sleep(1)
    peer.writer.transport.abort()
    return {"sent": len(burst) * int(seconds), "peers": 1}


def _ticks(seconds: float, rate: int) -> range:
    return range(int(seconds * rate / 2))


async def fill(port: int) -> Counts:
    """What the attacks need: entries to ask for, and a ledger with a key."""
    peer = await Peer.open(port)
    payload = bytes(BACKLOG_ENTRY_BYTES)
    adds: list[AddRequest] = [
        add_of(BACKLOG_LEDGER, number, payload=payload) for number in range(BACKLOG_ENTRIES)
    ]
    for start in range(0, len(adds), 8):
        await peer.ask(*adds[start : start + 8])
    await peer.ask(add_of(GUARDED_LEDGER, 0, key=KEY))
    peer.writer.close()
    return {}


ATTACKS: Final[dict[str, Callable[[int, float], Coroutine[Any, Any, Counts]]]] = {
    attack.__name__: attack
    for attack in (
        oversize,
        unknown_opcode,
        garbage,
        wrong_key,
        refused,
        never_reads,
        half_frames,
        idle,
        requests_unread,
    )
}


def run(name: str, port: int, seconds: float) -> Counts:
    """One attack, or `fill`."""
    attack: Callable[[int, float], Awaitable[Counts]] | None = ATTACKS.get(name)

    async def guarded() -> Counts:
        async with asyncio.timeout(seconds + 60):
            return await (fill(port) if attack is None else attack(port, seconds))

    return asyncio.run(guarded())


if __name__ == "__main__":
    worker_main(run)
