"""Receives with the official Python client, as users would write it.

A process of its own: `python -m bench.official_consumer JSON` prints its figures as JSON.
"""

import time
from typing import Any

from pulsar import InitialPosition  # type: ignore[import-untyped]

from bench.figures import of_rate
from bench.official_producer import open_client
from bench.workers import say_ready, worker_main

ACK_EVERY = 500


def run(port: int, topic: str, subscription: str, messages: int) -> dict[str, Any]:
    """Receives `messages` and acknowledges cumulatively now and then."""
    client = open_client(port)
    began_s = time.monotonic()
    consumer = client.subscribe(topic, subscription, initial_position=InitialPosition.Earliest)
    say_ready()
    for number in range(1, messages + 1):
        message = consumer.receive(timeout_millis=60_000)
        if number % ACK_EVERY == 0 or number == messages:
            consumer.acknowledge_cumulative(message)
    elapsed_s = time.monotonic() - began_s
    client.close()
    return of_rate(messages, elapsed_s)


if __name__ == "__main__":
    worker_main(run)
