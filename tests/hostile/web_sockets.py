"""Many WebSockets that read, or that never do: `python -m tests.hostile.web_sockets JSON`.

Those that read ack what comes, of topics that are published to all the time; of the others nothing
is ever read, and more waits for them than all buffers take.
"""

import asyncio
import base64
import json
import os
import time
from typing import Any, Final

import aiohttp

from bench.workers import say_ready, worker_main

HOST: Final = "127.0.0.1"
BASE: Final = "persistent/public/default"
SOCKETS_OF_TOPIC: Final = 10
BACKLOG_MESSAGES: Final = 64
BACKLOG_PAYLOAD: Final = "x" * 65_000
"""Of each topic whose sockets never read: more than all buffers on the way take."""
PAYLOAD: Final = base64.b64encode(bytes(1024)).decode()


async def _fill(session: aiohttp.ClientSession, port: int, topic: str) -> None:
    body = {"messages": [{"payload": BACKLOG_PAYLOAD}] * BACKLOG_MESSAGES}
    url = f"http://{HOST}:{port}/topics/{BASE}/{topic}"
    async with session.post(url, json=body) as answer:
        assert answer.status == 200, await answer.text()


async def _mute(port: int, topic: str, name: str) -> asyncio.StreamWriter:
    """A socket whose frames nobody reads: the reader stops at its limit, then the kernel's."""
    reader, writer = await asyncio.open_connection(HOST, port, limit=1)
    key = base64.b64encode(os.urandom(16)).decode()
    path = f"/ws/v2/consumer/{BASE}/{topic}/{name}?subscriptionInitialPosition=Earliest"
    head = (
        f"GET {path} HTTP/1.1",
        f"Host: localhost:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    )
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode())
    first = await reader.read(12)
    assert first.endswith(b"101"), first
    return writer


async def _read(
    session: aiohttp.ClientSession, port: int, topic: str, name: str, counts: Any
) -> None:
    url = f"ws://{HOST}:{port}/ws/v2/consumer/{BASE}/{topic}/{name}"
    async with session.ws_connect(url) as socket:
        counts["open"] += 1
        async for message in socket:
            place = json.loads(message.data)["messageId"]
            counts["read"] += 1
            await socket.send_str(f'{{"messageId":"{place}"}}')


async def _publish(
    session: aiohttp.ClientSession, port: int, topics: list[str], rate: float, seconds: float
) -> int:
    """To one after the other, so that the work of a fan-out is spread over time."""
    url = f"ws://{HOST}:{port}/ws/v2/producer/{BASE}"
    sockets = [await session.ws_connect(f"{url}/{topic}") for topic in topics]
    end_s, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end_s:
        socket = sockets[sent % len(sockets)]
        await socket.send_json({"payload": PAYLOAD})
        await socket.receive()
        sent += 1
        await asyncio.sleep(1 / rate)
    for socket in sockets:
        await socket.close()
    return sent


async def _run_mute(port: int, sockets: int, name: str) -> dict[str, Any]:
    """Until it is killed."""
    mute: list[asyncio.StreamWriter] = []
    async with aiohttp.ClientSession() as session:
        for number in range(sockets // SOCKETS_OF_TOPIC):
            topic = f"mute-{name}-{number}"
            await _fill(session, port, topic)
            names = map(str, range(SOCKETS_OF_TOPIC))
            mute += [await _mute(port, topic, each) for each in names]
    await asyncio.sleep(1)  # until all buffers are full
    say_ready()
    await asyncio.Event().wait()
    return {}


async def _run_reading(
    port: int, sockets: int, name: str, rate: float, seconds: float
) -> dict[str, Any]:
    counts: dict[str, Any] = {"open": 0, "read": 0}
    readers: list[asyncio.Task[None]] = []
    topics = [f"reads-{name}-{number}" for number in range(sockets // SOCKETS_OF_TOPIC)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        for topic in topics:
            reads = [
                _read(session, port, topic, str(each), counts) for each in range(SOCKETS_OF_TOPIC)
            ]
            readers += map(asyncio.create_task, reads)
        while counts["open"] < len(readers):
            await asyncio.sleep(0.05)
        say_ready()
        counts["published"] = await _publish(session, port, topics, rate, seconds)
        for task in readers:
            task.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    return counts


def run(
    port: int, sockets: int, mute: bool, rate: float, seconds: float, name: str
) -> dict[str, Any]:
    """Open the sockets; publish for some seconds and say how much was read, or never read.

    Args:
        rate: messages a second in all; each goes to the ten sockets of a topic.
        name: in the names of the topics.
    """
    if mute:
        return asyncio.run(_run_mute(port, sockets, name))
    return asyncio.run(_run_reading(port, sockets, name, rate, seconds))


if __name__ == "__main__":
    worker_main(run)
