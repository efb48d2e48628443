"""Raw load as fast as the server answers: a fixed window on each of some connections.

A process of its own: `python -m bench.raw_producer JSON` prints its figures as JSON.
"""

import select
import time
from collections import deque
from typing import Final

from bench.latency import LatencyHistogram
from bench.raw_sender import RawSender
from bench.workers import worker_main

WINDOW_MESSAGES: Final = 1000
WINDOW_BYTES: Final = 16 << 20
HYSTERESIS: Final = 16
"""A sender waits for this part of its window to be free before it sends more."""
DRAIN_TIMEOUT_S: Final = 60.0


class WindowedSender:
    """Keeps a window full and notes when each message could have been sent.

    A message's intended time is the moment its place in the window became free; what the socket
    or this process delay after that counts as latency.
    """

    def __init__(self, sender: RawSender, payload_bytes: int, latencies: LatencyHistogram) -> None:
        self.sender = sender
        self.window = max(1, min(WINDOW_MESSAGES, WINDOW_BYTES // payload_bytes))
        self._latencies = latencies
        self._intended: deque[tuple[int, float]] = deque()
        self._settled = 0
        self._limit = 0

    def fill(self, now_s: float) -> None:
        """Sends what the window allows."""
        limit = self.sender.acknowledged + self.window
        if limit - self._limit >= self.window / HYSTERESIS:
            self._limit = limit
            self._intended.append((limit, now_s))
        self.sender.send_up_to(self._limit)

    def settle(self, now_s: float) -> int:
        """Takes receipts in and counts their latencies."""
        count = self.sender.receive()
        acknowledged = self.sender.acknowledged
        while self._settled < acknowledged:
            limit, intended_s = self._intended[0]
            upto = min(limit, acknowledged)
            self._latencies.add(now_s - intended_s, upto - self._settled)
            self._settled = upto
            if upto == limit:
                self._intended.popleft()
        return count


def run(
    port: int,
    topics: list[str],
    payload_bytes: int,
    seconds: float,
    max_bytes: int,
) -> dict[str, float]:
    """Loads one connection per topic until the time or the bytes are up."""
    latencies = LatencyHistogram()
    senders = [
        WindowedSender(RawSender(port, topic, payload_bytes), payload_bytes, latencies)
        for topic in topics
    ]
    began_s, cpu_before_s = time.monotonic(), time.process_time()
    _load(senders, began_s + seconds, max_bytes)
    _drain(senders)
    messages = latencies.total
    elapsed_s = time.monotonic() - began_s
    assert messages == sum(each.sender.acknowledged for each in senders)
    return {
        "messages": messages,
        "seconds": round(elapsed_s, 3),
        "entries_per_s": round(messages / elapsed_s, 1),
        "mb_per_s": round(messages * payload_bytes / elapsed_s / 1e6, 2),
        "loader_cpu": round((time.process_time() - cpu_before_s) / elapsed_s, 3),
        **latencies.figures("receipt"),
    }


def _load(senders: list[WindowedSender], deadline_s: float, max_bytes: int) -> None:
    poll = select.poll()
    by_fd = {each.sender.connection.socket.fileno(): each for each in senders}
    waits_for_write: dict[int, bool] = {}
    left_bytes = max_bytes
    for each in senders:
        each.fill(time.monotonic())
    while (now_s := time.monotonic()) < deadline_s and left_bytes > 0:
        for fd, each in by_fd.items():
            wants = each.sender.wants_write
            if waits_for_write.get(fd) is not wants:
                poll.register(fd, select.POLLIN | (select.POLLOUT if wants else 0))
                waits_for_write[fd] = wants
        for fd, event in poll.poll(1000):
            each = by_fd[fd]
            now_s = time.monotonic()
            if event & ~select.POLLOUT:
                left_bytes -= each.settle(now_s) * each.sender.frame_bytes
            each.fill(now_s)


def _drain(senders: list[WindowedSender]) -> None:
    """Waits for the receipts of what was begun; a half-sent message is completed first."""
    for each in senders:
        each.sender.connection.socket.settimeout(DRAIN_TIMEOUT_S)
        last = each.sender.started
        each.sender.send_up_to(last)
        while each.sender.acknowledged < last:
            each.settle(time.monotonic())
        each.sender.connection.close()


if __name__ == "__main__":
    worker_main(run)
