"""Load by the official Python client, as users would write it.

A process of its own: `python -m bench.official_producer JSON` prints its figures as JSON.
"""

import os
import time
from typing import Any

import pulsar  # type: ignore[import-untyped]

from bench.errors import MeasurementError
from bench.figures import of_blocking_sends, of_rate
from bench.latency import LatencyHistogram
from bench.workers import worker_main


def open_client(port: int) -> pulsar.Client:
    """An official client that only speaks up about errors."""
    return pulsar.Client(
        f"pulsar://127.0.0.1:{port}", logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error)
    )


def run(
    port: int,
    topic: str,
    payload_bytes: int,
    seconds: float,
    mode: str,
    messages: int = 0,
) -> dict[str, Any]:
    """Sends for `seconds`, or `messages` if given; mode is batched, unbatched or blocking."""
    client = open_client(port)
    producer = client.create_producer(
        topic,
        batching_enabled=mode == "batched",
        batching_max_messages=1000,
        batching_max_publish_delay_ms=1,
        block_if_queue_full=True,
        max_pending_messages=1000,
    )
    send = _blocking if mode == "blocking" else _pipelined
    figures = send(producer, os.urandom(payload_bytes), seconds, messages)
    client.close()
    return figures


def _pipelined(
    producer: pulsar.Producer, payload: bytes, seconds: float, messages: int
) -> dict[str, Any]:
    failures: list[pulsar.Result] = []

    def sent(result: pulsar.Result, _: pulsar.MessageId) -> None:
        if result != pulsar.Result.Ok:
            failures.append(result)

    began_s = time.monotonic()
    deadline_s = began_s + seconds
    count = 0
    while count < messages if messages else count % 100 or time.monotonic() < deadline_s:
        producer.send_async(payload, sent)
        count += 1
    producer.flush()
    elapsed_s = time.monotonic() - began_s
    if failures:
        raise MeasurementError(f"{len(failures)} sends failed, first with {failures[0]}")
    return of_rate(count, elapsed_s)


def _blocking(producer: pulsar.Producer, payload: bytes, seconds: float, _: int) -> dict[str, Any]:
    latencies = LatencyHistogram()
    began_s = now_s = time.monotonic()
    while now_s - began_s < seconds:
        producer.send(payload)
        before_s, now_s = now_s, time.monotonic()
        latencies.add(now_s - before_s)
    return of_blocking_sends(latencies, now_s - began_s)


if __name__ == "__main__":
    worker_main(run)
