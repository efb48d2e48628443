"""Raw web producers with requests made beforehand: REST batches, or frames of a WebSocket.

A process of its own: `python -m bench.web_producer JSON` prints its figures as JSON. Nothing of an
answer is parsed: receipts are counted by what stands in each of them once.
"""

import asyncio
import base64
import json
import time
from typing import Any, Final

from bench.errors import MeasurementError
from bench.figures import of_rate
from bench.servers import HOST
from bench.workers import worker_main

REST: Final = "rest"
_STORED: Final = {REST: b'"errorCode":0', "websocket": b'"result":"ok"'}
_CHUNK_BYTES: Final = 1 << 16
_NO_MASK: Final = bytes(4)
"""A client has to mask its frames; with this mask they stay as they are."""


def _frame(text: bytes) -> bytes:
    """A text frame from a client."""
    if len(text) < 126:
        return bytes((0x81, 0x80 | len(text))) + _NO_MASK + text
    return bytes((0x81, 0x80 | 126)) + len(text).to_bytes(2, "big") + _NO_MASK + text


def _upgrade(path: str, query: str) -> bytes:
    key = base64.b64encode(bytes(16)).decode()
    head = (
        f"GET /ws/v2/producer/{path}{query} HTTP/1.1",
        f"Host: {HOST}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    )
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def _post(path: str, query: str, payload_bytes: int, batch: int) -> bytes:
    messages = [{"payload": "x" * payload_bytes}] * batch
    body = json.dumps({"messages": messages}, separators=(",", ":")).encode()
    head = (
        f"POST /topics/{path}{query} HTTP/1.1",
        f"Host: {HOST}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


class _Load:
    """One connection that always has so many messages under way."""

    def __init__(self, kind: str, path: str, query: str, payload_bytes: int, batch: int) -> None:
        self._word = _STORED[kind]
        self._batch = batch
        self._opening = b"" if kind == REST else _upgrade(path, query)
        if kind == REST:
            self._request = _post(path, query, payload_bytes, batch)
        else:
            payload = base64.b64encode(b"x" * payload_bytes)
            self._request = _frame(b'{"payload":"' + payload + b'"}') * batch
        self.stored = 0

    async def run(self, port: int, end_s: float) -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        if self._opening:
            writer.write(self._opening)
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 101 " not in head:
                raise MeasurementError(f"no WebSocket: {head!r}")
        waiting, tail = 0, b""
        while time.monotonic() < end_s or waiting:
            low = self._batch // 2 if self._opening else 0  # REST answers a batch as a whole
            if waiting <= low and time.monotonic() < end_s:
                writer.write(self._request)
                waiting += self._batch
            data = tail + await reader.read(_CHUNK_BYTES)
            if len(data) == len(tail):
                raise MeasurementError("the server closed the connection")
            count = data.count(self._word)
            tail = data[-(len(self._word) - 1) :]
            waiting -= count
            self.stored += count
        writer.close()


async def _run(
    port: int,
    kind: str,
    topics: list[str],
    payload_bytes: int,
    batch: int,
    seconds: float,
    batching: bool,
) -> dict[str, Any]:
    paths = [topic.replace("://", "/") for topic in topics]
    query = "?batchingEnabled=true" if batching else ""
    loads = [_Load(kind, path, query, payload_bytes, batch) for path in paths]
    began_s = time.monotonic()
    await asyncio.gather(*[load.run(port, began_s + seconds) for load in loads])
    elapsed_s = time.monotonic() - began_s
    stored = sum(load.stored for load in loads)
    return of_rate(stored, elapsed_s)


def run(
    port: int,
    kind: str,
    topics: list[str],
    payload_bytes: int,
    batch: int,
    seconds: float,
    *,
    batching: bool = False,
) -> dict[str, Any]:
    """Keep `batch` messages under way on a connection for each topic; `kind` as above.

    Args:
        batching: messages share entries.
    """
    return asyncio.run(_run(port, kind, topics, payload_bytes, batch, seconds, batching))


if __name__ == "__main__":
    worker_main(run)
