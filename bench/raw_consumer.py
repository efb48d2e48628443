"""Raw consumers that count messages as fast as the server sends them.

A process of its own: prints "ready" when all are subscribed, then its figures as JSON.
`python -m bench.raw_consumer JSON`
"""

import select
import time
from array import array
from pathlib import Path
from typing import Any, Final

from bench import wire
from bench.errors import WireError
from bench.raw_connection import RawConnection
from bench.workers import say_ready, worker_main

PERMITS: Final = 1000
"""The receiver queue of the official clients; permits are renewed when half is used."""


class RawConsumer:
    """One exclusive consumer that acknowledges cumulatively with each renewal of permits."""

    def __init__(self, port: int, topic: str, subscription: str) -> None:
        self.connection = RawConnection(port)
        self.connection.open_consumer(topic, subscription)
        self.received = 0
        self._unrenewed = 0

    def start(self) -> None:
        """Asks for the first messages."""
        self.connection.socket.sendall(wire.flow(0, PERMITS))

    def receive(self) -> int:
        """Takes one recv of messages and returns how many there were."""
        count = 0
        last_id: wire.Value = b""
        connection = self.connection
        for run in connection.receive():
            kind, fields = wire.parse_command(connection.frame_at(run.last_start, run.frame_bytes))
            if kind == wire.MESSAGE:
                count += run.count
                last_id = fields[2]
            elif kind == wire.PING:
                connection.socket.sendall(wire.PONG_FRAME)
            else:
                raise WireError(f"command {kind} among the messages: {fields}")
        connection.consume()
        self.received += count
        self._unrenewed += count
        if self._unrenewed >= PERMITS // 2 and count:
            assert isinstance(last_id, bytes)
            self._renew(last_id)
        return count

    def _renew(self, last_id: bytes) -> None:
        position = wire.parse(last_id)
        ledger_id, entry_id = position[1], position[2]
        assert isinstance(ledger_id, int)
        assert isinstance(entry_id, int)
        ack = wire.ack_cumulative(0, ledger_id, entry_id)
        self.connection.socket.sendall(ack + wire.flow(0, self._unrenewed))
        self._unrenewed = 0


def run(
    port: int,
    topic: str,
    subscriptions: list[str],
    messages: int,
    seconds: float,
    arrivals_path: str | None = None,
) -> dict[str, Any]:
    """Receives `messages` on each subscription (0: only creates them), at most for `seconds`."""
    consumers = [RawConsumer(port, topic, name) for name in subscriptions]
    say_ready()
    arrivals_s = array("d")
    began_s = time.monotonic()
    if messages:
        for each in consumers:
            each.start()
    ended_s = _receive_all(consumers, messages, began_s + seconds, arrivals_s)
    if arrivals_path is not None:
        Path(arrivals_path).write_bytes(arrivals_s.tobytes())
    for each in consumers:
        each.connection.close()
    received = sum(each.received for each in consumers)
    elapsed_s = ended_s - began_s
    return {
        "messages": received,
        "seconds": round(elapsed_s, 3),
        "messages_per_s": round(received / elapsed_s, 1) if elapsed_s > 0 else 0.0,
        "began_s": began_s,
        "ended_s": ended_s,
    }


def _receive_all(
    consumers: list[RawConsumer], messages: int, deadline_s: float, arrivals_s: "array[float]"
) -> float:
    poll = select.poll()
    by_fd = {each.connection.socket.fileno(): each for each in consumers}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    waiting = len(by_fd) if messages else 0
    now_s = time.monotonic()
    while waiting and now_s < deadline_s:
        for fd, _ in poll.poll((deadline_s - now_s) * 1000):
            each = by_fd[fd]
            before = each.received
            count = each.receive()
            now_s = time.monotonic()
            arrivals_s.extend([now_s] * count)
            waiting -= before < messages <= each.received
        now_s = time.monotonic()
    return now_s


if __name__ == "__main__":
    worker_main(run)
