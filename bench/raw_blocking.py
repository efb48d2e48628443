"""One raw message at a time: send, wait for the receipt, send the next.

A process of its own: `python -m bench.raw_blocking JSON` prints its figures as JSON.
"""

import time
from typing import Any

from bench.batch import SendBatch
from bench.figures import of_blocking_sends
from bench.latency import LatencyHistogram
from bench.raw_sender import RawSender
from bench.workers import worker_main


def run(port: int, topic: str, payload_bytes: int, seconds: float) -> dict[str, Any]:
    """Sends for `seconds`."""
    sender = RawSender(port, topic, SendBatch(payload_bytes))
    sender.connection.socket.settimeout(60.0)
    latencies = LatencyHistogram()
    began_s = now_s = time.monotonic()
    while now_s - began_s < seconds:
        sender.send_up_to(sender.acknowledged + 1)
        while sender.receive() == 0:
            pass  # a PING of the broker was answered
        before_s, now_s = now_s, time.monotonic()
        latencies.add(now_s - before_s)
    sender.connection.close()
    return of_blocking_sends(latencies, now_s - began_s)


if __name__ == "__main__":
    worker_main(run)
