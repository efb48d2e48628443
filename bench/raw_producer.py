"""Raw load as fast as the server answers: a fixed window on each of some connections.

A process of its own: `python -m bench.raw_producer JSON` prints its figures as JSON.
"""

import select
import time
from collections import deque
from typing import Final

from bench.batch import SendBatch
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

    def __init__(
        self, sender: RawSender, payload_bytes: int, messages: int, latencies: LatencyHistogram
    ) -> None:
        self.sender = sender
        self.window = max(1, min(WINDOW_MESSAGES, WINDOW_BYTES // payload_bytes))
        self.messages = messages
        self._latencies = latencies
        self._intended: deque[tuple[int, float]] = deque()
        self._settled = 0
        self._limit = 0

    @property
    def done(self) -> bool:
        """Whether all its messages have their receipt."""
        return self.sender.acknowledged >= self.messages

    def fill(self, now_s: float) -> None:
        """Sends what the window allows."""
        limit = min(self.sender.acknowledged + self.window, self.messages)
        if limit - self._limit >= self.window / HYSTERESIS or limit == self.messages > self._limit:
            self._limit = limit
            self._intended.append((limit, now_s))
        self.sender.send_up_to(self._limit)

    def settle(self, now_s: float) -> None:
        """Takes receipts in and counts their latencies."""
        self.sender.receive()
        acknowledged = self.sender.acknowledged
        while self._settled < acknowledged:
            limit, intended_s = self._intended[0]
            upto = min(limit, acknowledged)
            self._latencies.add(now_s - intended_s, upto - self._settled)
            self._settled = upto
            if upto == limit:
                self._intended.popleft()


def run(
    port: int, topics: list[str], payload_bytes: int, seconds: float, messages: int
) -> dict[str, float]:
    """Loads one connection per topic until the time is up or `messages` in all are sent."""
    latencies = LatencyHistogram()
    share = messages // len(topics)
    batches = [SendBatch(payload_bytes) for _ in topics]
    senders = [
        WindowedSender(RawSender(port, topic, batch), payload_bytes, share, latencies)
        for topic, batch in zip(topics, batches, strict=True)
    ]
    began_s, cpu_before_s = time.monotonic(), time.process_time()
    _load(senders, began_s + seconds)
    _drain(senders)
    elapsed_s = time.monotonic() - began_s
    count = latencies.total
    assert count == sum(each.sender.acknowledged for each in senders)
    return {
        "messages": count,
        "seconds": round(elapsed_s, 3),
        "began_s": began_s,
        "entries_per_s": round(count / elapsed_s, 1),
        "mb_per_s": round(count * payload_bytes / elapsed_s / 1e6, 2),
        "loader_cpu": round((time.process_time() - cpu_before_s) / elapsed_s, 3),
        **latencies.figures("receipt"),
    }


def _load(senders: list[WindowedSender], deadline_s: float) -> None:
    poll = select.poll()
    by_fd = {each.sender.connection.socket.fileno(): each for each in senders}
    waits_for_write: dict[int, bool] = {}
    for each in senders:
        each.fill(time.monotonic())
    while time.monotonic() < deadline_s and not all(each.done for each in senders):
        for fd, each in by_fd.items():
            wants = each.sender.wants_write
            if waits_for_write.get(fd) is not wants:
                poll.register(fd, select.POLLIN | (select.POLLOUT if wants else 0))
                waits_for_write[fd] = wants
        for fd, event in poll.poll(1000):
            each = by_fd[fd]
            now_s = time.monotonic()
            if event & ~select.POLLOUT:
                each.settle(now_s)
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
