"""Load by the SDK of this project, as users would write it; the twin of `official_producer`.

A process of its own: `python -m bench.sdk_producer JSON` prints its figures as JSON.
"""

import asyncio
import os
import time
from typing import Any

from magnetar import Client, Producer

from bench.errors import MeasurementError
from bench.figures import of_blocking_sends, of_rate
from bench.latency import LatencyHistogram
from bench.workers import worker_main


def run(
    port: int,
    topic: str,
    payload_bytes: int,
    seconds: float,
    mode: str,
    messages: int = 0,
) -> dict[str, Any]:
    """Sends for `seconds`, or `messages` if given; mode is batched, unbatched or blocking."""
    return asyncio.run(_run(port, topic, os.urandom(payload_bytes), seconds, mode, messages))


async def _run(
    port: int, topic: str, payload: bytes, seconds: float, mode: str, messages: int
) -> dict[str, Any]:
    async with Client(f"pulsar://127.0.0.1:{port}") as client:
        producer = await client.create_producer(
            topic,
            batching_enabled=mode == "batched",
            batching_max_messages=1000,
            batching_max_publish_delay_ms=1,
            block_if_queue_full=True,
            max_pending_messages=1000,
        )
        send = _blocking if mode == "blocking" else _pipelined
        return await send(producer, payload, seconds, messages)


async def _pipelined(
    producer: Producer, payload: bytes, seconds: float, messages: int
) -> dict[str, Any]:
    failures: list[Exception] = []

    def sent(error: Exception | None, _: object) -> None:
        if error is not None:
            failures.append(error)

    began_s = time.monotonic()
    deadline_s = began_s + seconds
    count = 0
    while count < messages if messages else count % 100 or time.monotonic() < deadline_s:
        await producer.room()
        producer.send_async(payload, sent)
        count += 1
    await producer.flush()
    elapsed_s = time.monotonic() - began_s
    if failures:
        raise MeasurementError(f"{len(failures)} sends failed, first with {failures[0]}")
    return of_rate(count, elapsed_s)


async def _blocking(producer: Producer, payload: bytes, seconds: float, _: int) -> dict[str, Any]:
    latencies = LatencyHistogram()
    began_s = now_s = time.monotonic()
    while now_s - began_s < seconds:
        await producer.send(payload)
        before_s, now_s = now_s, time.monotonic()
        latencies.add(now_s - before_s)
    return of_blocking_sends(latencies, now_s - began_s)


if __name__ == "__main__":
    worker_main(run)
