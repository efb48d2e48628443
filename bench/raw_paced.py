"""Raw load at a fixed rate on one connection; each message has the moment it should be sent at.

A process of its own: `python -m bench.raw_paced JSON` prints its figures as JSON.
"""

import select
import time
from typing import Any, Final

from bench.batch import SendBatch
from bench.errors import MeasurementError
from bench.latency import LatencyHistogram
from bench.raw_sender import RawSender
from bench.workers import worker_main

DRAIN_TIMEOUT_S: Final = 60.0


def run(port: int, topic: str, payload_bytes: int, rate: float, messages: int) -> dict[str, Any]:
    """Sends message i at i / `rate` seconds; its latency counts from then, late or not."""
    sender = RawSender(port, topic, SendBatch(payload_bytes))
    latencies = LatencyHistogram()
    fd = sender.connection.socket.fileno()
    began_s = time.monotonic()
    deadline_s = began_s + messages / rate + DRAIN_TIMEOUT_S
    while sender.acknowledged < messages:
        now_s = time.monotonic()
        if now_s > deadline_s:
            raise MeasurementError(f"{sender.acknowledged} receipts for {messages} messages")
        due = min(messages, int((now_s - began_s) * rate) + 1)
        sender.send_up_to(due)
        wait_s = 1.0 if due == messages else began_s + due / rate - time.monotonic()
        writers = [fd] if sender.wants_write else []
        readable, _, _ = select.select([fd], writers, [], max(0.0, wait_s))
        if readable:
            first = sender.acknowledged
            sender.receive()
            now_s = time.monotonic()
            latencies.add_all(
                now_s - (began_s + index / rate) for index in range(first, sender.acknowledged)
            )
    elapsed_s = time.monotonic() - began_s
    sender.connection.close()
    return {
        "messages": messages,
        "seconds": round(elapsed_s, 3),
        "began_s": began_s,
        **latencies.figures("receipt"),
    }


if __name__ == "__main__":
    worker_main(run)
