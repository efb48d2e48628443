"""Peers that misbehave, each over real sockets: `python -m tests.hostile.attacks JSON`.

An attack goes on for some seconds and says in JSON what the broker did to it. It runs in a process
of its own, so that its own work does not count as the broker's.
"""

import asyncio
import struct
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import FrameSplitter, encode_command, encode_payload_command
from magnetar_proto.payloads import encode_payload

from bench.workers import say_ready, worker_main

HOST: Final = "127.0.0.1"
MAX_FRAME_BYTES: Final = 6 << 20
RATE: Final = 200
"""Offences a second: enough to be a nuisance, not enough to use up a core by themselves."""

Counts = dict[str, Any]


class Peer:
    """A connection whose replies are counted by kind."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.opened_s = time.monotonic()
        self.replies: list[Any] = []
        self._reader = reader
        self._splitter = FrameSplitter(MAX_FRAME_BYTES)

    @classmethod
    async def open(cls, port: int, *, greet: bool = True) -> "Peer":
        """Connects, and says CONNECT if `greet`."""
        peer = cls(*await asyncio.open_connection(HOST, port))
        if greet:
            peer.send(api.CommandConnect(client_version="hostile", protocol_version=21))
            await peer.until(api.CommandConnected)
        return peer

    def send(self, *commands: Any) -> None:
        """Sends commands without waiting."""
        self.writer.write(b"".join(map(encode_command, commands)))

    async def until(self, kind: type) -> Any:
        """The next reply of a kind. Raises ConnectionError if the broker closes before."""
        while True:
            for reply in await self.read():
                if isinstance(reply, kind):
                    return reply

    async def read(self) -> list[Any]:
        """What comes next; pings are answered."""
        data = await self._reader.read(1 << 16)
        if not data:
            raise ConnectionResetError("closed by the broker")
        replies = [message for _, message, _ in self._splitter.feed(data)]
        if any(isinstance(reply, api.CommandPing) for reply in replies):
            self.send(api.CommandPong())
        return replies

    async def until_closed(self) -> float:
        """Reads on until the broker closes; seconds since the opening."""
        try:
            while True:
                await self.read()
        except ConnectionError:
            self.writer.close()
            return time.monotonic() - self.opened_s


async def oversize(port: int, seconds: float) -> Counts:
    """Announces frames of 100 MB, over and over."""
    return await _offend(port, seconds, struct.pack(">I", 100 << 20) + bytes(64))


async def unknown_command(port: int, seconds: float) -> Counts:
    """Sends a command of a type that does not exist."""
    body = b"\x08\xfa\x01"
    return await _offend(port, seconds, struct.pack(">II", 4 + len(body), len(body)) + body)


async def garbage(port: int, seconds: float) -> Counts:
    """Sends what is no protobuf."""
    body = b"\xff" * 40
    return await _offend(port, seconds, struct.pack(">II", 4 + len(body), len(body)) + body)


async def _offend(port: int, seconds: float, data: bytes) -> Counts:
    closed = 0
    slowest_s = 0.0
    for _ in _ticks(seconds, RATE):
        peer = await Peer.open(port)
        offended_s = time.monotonic()
        peer.writer.write(data)
        await peer.until_closed()
        slowest_s = max(slowest_s, time.monotonic() - offended_s)
        closed += 1
        await asyncio.sleep(1 / RATE)
    return {"offences": closed, "closed": closed, "slowest_s": slowest_s}


async def damaged(port: int, seconds: float) -> Counts:
    """Publishes messages whose checksum is wrong."""
    peer = await Peer.open(port)
    peer.send(api.CommandProducer(topic="damaged", producer_id=1, request_id=1))
    await peer.until(api.CommandProducerSuccess)
    errors: list[str] = []
    sent = 0
    for sequence_id in _ticks(seconds, RATE):
        metadata = api.MessageMetadata(producer_name="p", sequence_id=sequence_id, publish_time=1)
        payload = encode_payload(metadata, b"x" * 100)
        payload = payload[:-1] + b"y"
        command = api.CommandSend(producer_id=1, sequence_id=sequence_id)
        peer.writer.write(encode_payload_command(command, payload) + payload)
        sent += 1
        error = await peer.until(api.CommandSendError)
        errors.append(api.ServerError.Name(error.error))
        await asyncio.sleep(1 / RATE)
    return {"offences": sent, "refused": len(errors), "errors": sorted(set(errors))}


async def unfinished(port: int, seconds: float) -> Counts:
    """Opens sockets and never says CONNECT; half of them send a byte now and then."""
    peers = [await Peer.open(port, greet=False) for _ in range(200)]
    frame = encode_command(api.CommandConnect(client_version="slow", protocol_version=21))

    async def drip(peer: Peer) -> None:
        for byte in frame[:-1]:
            if peer.writer.is_closing():
                return
            peer.writer.write(bytes((byte,)))
            await asyncio.sleep(0.4)

    drips = [asyncio.create_task(drip(peer)) for peer in peers[::2]]
    lives_s = await _all(peer.until_closed() for peer in peers)
    for task in drips:
        task.cancel()
    await asyncio.wait(drips)
    return {"closed": len(lives_s), "longest_s": max(lives_s), "shortest_s": min(lives_s)}


async def never_reads(port: int, seconds: float) -> Counts:
    """Grants a million permits on a topic with a backlog, on two connections, and never reads."""
    peers = []
    for number in range(2):
        peer = await Peer.open(port)
        subscribe = api.CommandSubscribe(
            topic="backlog",
            subscription=f"never-reads-{number}",
            subType=api.CommandSubscribe.Shared,
            consumer_id=1,
            request_id=1,
            initialPosition=api.CommandSubscribe.Earliest,
        )
        peer.send(subscribe)
        await peer.until(api.CommandSuccess)
        peer.send(api.CommandFlow(consumer_id=1, messagePermits=1_000_000))
        peers.append(peer)
    await asyncio.sleep(seconds)
    for peer in peers:
        peer.writer.transport.abort()
    return {"peers": len(peers)}


async def half_open(port: int, seconds: float) -> Counts:
    """Greets, then answers no ping any more."""
    peers = [await Peer.open(port) for _ in range(50)]
    for peer in peers:
        peer.send = lambda *_: None  # type: ignore[method-assign]
    lives_s = await _all(peer.until_closed() for peer in peers)
    return {"closed": len(lives_s), "longest_s": max(lives_s)}


async def idle(port: int, seconds: float) -> Counts:
    """A thousand clients that greet, answer pings and do nothing else."""
    peers = [await Peer.open(port) for _ in range(1000)]
    ends = [asyncio.create_task(peer.until_closed()) for peer in peers]
    say_ready()
    _, pending = await asyncio.wait(ends, timeout=seconds)
    for task in pending:
        task.cancel()
    return {"peers": len(peers), "closed": len(ends) - len(pending)}


async def requests(port: int, seconds: float) -> Counts:
    """Asks for five thousand lookups in one go, again and again, and reads no answer."""
    peer = await Peer.open(port)
    burst = [
        api.CommandLookupTopic(topic=f"t{number}", request_id=number) for number in range(5000)
    ]
    sent = 0
    for _ in range(int(seconds)):
        peer.send(*burst)
        sent += len(burst)
        await asyncio.sleep(1)
    peer.writer.transport.abort()
    return {"sent": sent}


def _ticks(seconds: float, rate: int) -> range:
    return range(int(seconds * rate / 2))


async def _all(lives: Any) -> list[float]:
    return list(await asyncio.gather(*lives))


ATTACKS: Final[dict[str, Callable[[int, float], Coroutine[Any, Any, Counts]]]] = {
    attack.__name__: attack
    for attack in (
        oversize,
        unknown_command,
        garbage,
        damaged,
        unfinished,
        never_reads,
        half_open,
        idle,
        requests,
    )
}


def run(name: str, port: int, seconds: float) -> Counts:
    """One attack."""
    attack: Callable[[int, float], Awaitable[Counts]] = ATTACKS[name]

    async def guarded() -> Counts:
        async with asyncio.timeout(seconds + 60):
            return await attack(port, seconds)

    return asyncio.run(guarded())


if __name__ == "__main__":
    worker_main(run)
