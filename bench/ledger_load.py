"""Load on bookies with our ledger client, as fast as a window allows or at a rate; the twin of
`LedgerLoad.java`.

A process of its own: `python -m bench.ledger_load JSON` prints its figures as JSON.
"""

import asyncio
import time
from collections import deque
from typing import Any, Final

import uvloop
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.connect import connect
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.writer import LedgerWriter

from bench.errors import MeasurementError
from bench.latency import LatencyHistogram
from bench.workers import worker_main

STEP: Final = 32
"""Places of the window are filled by so many."""
PACE_S: Final = 0.001
DRAIN_TIMEOUT_S: Final = 60.0


class Load:
    """The sink of a writer: notes how long each entry took from when it should have been sent."""

    def __init__(self, writer: LedgerWriter, payload: bytes, window: int, most: int) -> None:
        self._writer = writer
        self._payload = payload
        self._window = window
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._intended: deque[tuple[int, float]] = deque()  # entries up to here, since when
        self._drained = asyncio.Event()
        self._settled = 0
        self.latencies = LatencyHistogram()
        self.error: LedgerError | None = None
        self.running = True
        writer.sink = self

    @property
    def sent(self) -> int:
        return self._writer.entries_pushed

    def fill(self) -> None:
        """Send what the window allows."""
        while (
            self.running
            and self.sent + STEP <= self._settled + self._window
            and self.sent < self._most
        ):
            self.send(STEP, time.monotonic())

    def send(self, count: int, intended_s: float) -> None:
        """Send so many that should have been sent then."""
        self._intended.append((self.sent + count, intended_s))
        self._writer.add_all([self._payload] * count)

    def entries_confirmed(self, first_entry_id: int, count: int) -> None:
        now_s, behind = time.monotonic(), first_entry_id + count
        while self._settled < behind:
            limit, intended_s = self._intended[0]
            upto = min(limit, behind)
            self.latencies.add(now_s - intended_s, upto - self._settled)
            self._settled = upto
            if upto == limit:
                self._intended.popleft()
        if self._window:
            self.fill()
        if self._settled == self.sent:
            self._drained.set()

    def writer_failed(self, error: LedgerError) -> None:
        self.error = error
        self._drained.set()

    async def drain(self) -> None:
        """Send no more; wait for what is under way."""
        self.running = False
        if self._settled < self.sent:
            self._drained.clear()
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await self._drained.wait()
        if self.error is not None:
            raise MeasurementError(f"{self._settled} of {self.sent} entries: {self.error}")


async def _measure(
    client: LedgerClient,
    quorums: tuple[int, int, int],
    payload_bytes: int,
    window: int,
    rate: float,
    seconds: float,
    most: int,
) -> dict[str, Any]:
    ensemble, write, ack = quorums
    writer = await client.create(ensemble_size=ensemble, write_quorum=write, ack_quorum=ack)
    load = Load(writer, bytes(payload_bytes), 0 if rate else window, most)
    began_s, cpu_before_s = time.monotonic(), time.process_time()
    if rate:
        await _paced(load, rate, min(most, int(rate * seconds)))
    else:
        load.fill()
        while time.monotonic() < began_s + seconds and load.sent < most and load.error is None:
            await asyncio.sleep(0.02)
    await load.drain()
    elapsed_s = time.monotonic() - began_s
    cpu_s = time.process_time() - cpu_before_s
    await writer.close()
    count = load.latencies.total
    return {
        "entries": count,
        "seconds": round(elapsed_s, 3),
        "entries_per_s": round(count / elapsed_s, 1),
        "mb_per_s": round(count * payload_bytes / elapsed_s / 1e6, 2),
        "loader_cpu": round(cpu_s / elapsed_s, 3),
        **load.latencies.figures("add"),
    }


async def _paced(load: Load, rate: float, messages: int) -> None:
    began_s = time.monotonic()
    while load.sent < messages and load.error is None:
        due = min(messages, int((time.monotonic() - began_s) * rate) + 1)
        while load.sent < due:
            # Small steps: all of one count from the moment of its first.
            count = min(max(1, int(rate * PACE_S / 2)), due - load.sent)
            load.send(count, began_s + load.sent / rate)
        await asyncio.sleep(PACE_S)


def run(
    url: str,
    quorums: tuple[int, int, int],
    payload_bytes: int,
    window: int,
    rate: float,
    seconds: float,
    warm_seconds: float,
    most: int,
) -> dict[str, Any]:
    """Adds entries to a ledger; `rate` 0 means as fast as the window allows."""

    async def both() -> dict[str, Any]:
        async with connect(url) as client:
            if warm_seconds > 0:
                await _measure(client, quorums, payload_bytes, window, rate, warm_seconds, most)
            return await _measure(client, quorums, payload_bytes, window, rate, seconds, most)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(both())


if __name__ == "__main__":
    worker_main(run)
