"""Receives with the SDK of this project, as users would write it; the twin of `official_consumer`.

A process of its own: `python -m bench.sdk_consumer JSON` prints its figures as JSON.
"""

import asyncio
import time
from typing import Any

from magnetar import Client, InitialPosition

from bench.figures import of_rate
from bench.official_consumer import ACK_EVERY
from bench.workers import say_ready, worker_main


def run(port: int, topic: str, subscription: str, messages: int) -> dict[str, Any]:
    """Receives `messages` and acknowledges cumulatively now and then."""
    return asyncio.run(_run(port, topic, subscription, messages))


async def _run(port: int, topic: str, subscription: str, messages: int) -> dict[str, Any]:
    async with Client(f"pulsar://127.0.0.1:{port}") as client:
        began_s = time.monotonic()
        consumer = await client.subscribe(
            topic, subscription, initial_position=InitialPosition.Earliest
        )
        say_ready()
        for number in range(1, messages + 1):
            message = await consumer.receive(timeout_millis=60_000)
            if number % ACK_EVERY == 0 or number == messages:
                await consumer.acknowledge_cumulative(message)
        elapsed_s = time.monotonic() - began_s
    return of_rate(messages, elapsed_s)


if __name__ == "__main__":
    worker_main(run)
