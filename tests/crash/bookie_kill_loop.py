"""kill -9 of one bookie under a ledger's writer, again and again: what is lost, and for how long
no entry is confirmed.

`python -m tests.crash.bookie_kill_loop --cycles 25 --bookies 4` prints a JSON summary and fails if
anything is lost. It needs Java for ZooKeeper; bookies and client are ours.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from magnetar_ledger.client import LedgerClient
from magnetar_ledger.connect import connect
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.writer import LedgerWriter

from bench.bookies import MagnetarBookie
from bench.servers import HOST
from tests.interop.apache_bookies import ApacheBookies

WINDOW_ENTRIES = 1000
RUN_ENTRIES = 50
PAYLOAD_BYTES = 100
LOAD_BEFORE_KILL_S = (1.5, 2.5)
LOAD_AFTER_KILL_S = 2.0
LOAD_AFTER_CHANGE_S = 0.5
RETURN_TIMEOUT_S = 60.0


@dataclass
class Summary:
    """What a number of cycles gave."""

    cycles: int = 0
    confirmed: int = 0
    read: int = 0
    lost: int = 0
    segments: int = 0
    longest_gaps_ms: list[float] = field(default_factory=list)
    before_kill_ms: list[float] = field(default_factory=list)  # the same with all bookies up

    def as_json(self) -> dict[str, Any]:
        gaps = self.longest_gaps_ms
        return {
            **self.__dict__,
            "longest_gaps_ms": [round(gap, 1) for gap in gaps],
            "before_kill_ms": [round(gap, 1) for gap in self.before_kill_ms],
            "median_longest_gap_ms": round(statistics.median(gaps), 1),
            "worst_gap_ms": round(max(gaps), 1),
        }


class Load:
    """Keeps a window of entries under way; notes the longest time without a confirmed one."""

    def __init__(self, writer: LedgerWriter) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._last_s = self._loop.time()
        self.running = True
        self.count = 0
        self.longest_gap_ms = 0.0
        self.error: LedgerError | None = None
        writer.sink = self
        self._fill()

    def entries_confirmed(self, first_entry_id: int, count: int) -> None:
        assert first_entry_id == self.count
        self.count += count
        now_s = self._loop.time()
        self.longest_gap_ms = max(self.longest_gap_ms, (now_s - self._last_s) * 1000)
        self._last_s = now_s
        self._fill()

    def writer_failed(self, error: LedgerError) -> None:
        self.error = error

    async def drain(self) -> None:
        """Add no more, and wait for what is under way."""
        self.running = False
        async with asyncio.timeout(60):
            while self.count < self._writer.entries_pushed and self.error is None:
                await asyncio.sleep(0.01)

    def _fill(self) -> None:
        while self.running and self._writer.entries_pushed - self.count < WINDOW_ENTRIES:
            first = self._writer.entries_pushed
            self._writer.add_all([payload(first + i) for i in range(RUN_ENTRIES)])


def payload(number: int) -> bytes:
    return b"%d " % number + b"x" * PAYLOAD_BYTES


class BookieKillLoop:
    """Cycles on one cluster."""

    def __init__(self, directory: Path, bookies: int, rng: random.Random) -> None:
        self._directory = directory
        self._count = bookies
        self._rng = rng
        self._bookies: list[MagnetarBookie] = []
        self.summary = Summary()

    def run(self, cycles: int) -> Summary:
        zookeeper = ApacheBookies(self._directory, bookies=0)
        address = f"{HOST}:{zookeeper.zookeeper_port}"
        try:
            for number in range(self._count):
                place = self._directory / f"bookie-{number}"
                place.mkdir()
                bookie = MagnetarBookie(place, address)
                bookie.start()
                self._bookies.append(bookie)
            asyncio.run(self._cycles(f"zk:{address}", cycles))
        finally:
            for bookie in self._bookies:
                bookie.kill()
            zookeeper.close()
        return self.summary

    async def _cycles(self, url: str, cycles: int) -> None:
        async with connect(url) as client:
            for _ in range(cycles):
                await self._cycle(client)

    async def _cycle(self, client: LedgerClient) -> None:
        writer = await client.create(ensemble_size=3, write_quorum=3, ack_quorum=2)
        load = Load(writer)
        await asyncio.sleep(0.2)  # the first entries make the ledger's files
        load.longest_gap_ms = 0.0
        await asyncio.sleep(self._rng.uniform(*LOAD_BEFORE_KILL_S))
        victim = self._bookie_of(self._rng.choice(writer.metadata.segments[0].bookies))
        self.summary.before_kill_ms.append(load.longest_gap_ms)
        load.longest_gap_ms = 0.0
        await asyncio.to_thread(victim.kill)  # the loop must not wait for its end
        await asyncio.sleep(LOAD_AFTER_KILL_S)
        gap_ms = load.longest_gap_ms
        await asyncio.to_thread(victim.start)
        async with asyncio.timeout(RETURN_TIMEOUT_S):  # of three it takes its own place again
            while len(writer.metadata.segments) < 2:
                await asyncio.sleep(0.01)
        await asyncio.sleep(LOAD_AFTER_CHANGE_S)
        await load.drain()
        assert load.error is None, load.error
        await writer.close()
        await self._audit(client, writer.ledger_id, load.count)
        self.summary.cycles += 1
        self.summary.confirmed += load.count
        self.summary.segments += len(writer.metadata.segments)
        self.summary.longest_gaps_ms.append(gap_ms)

    async def _audit(self, client: LedgerClient, ledger_id: int, count: int) -> None:
        reader = await client.open(ledger_id, recover=False)
        found = 0
        while found <= reader.last_add_confirmed:
            for entry in await reader.read(found, 1000, 4_000_000):
                assert entry == payload(found), f"{ledger_id}:{found} is {entry!r}"
                found += 1
        self.summary.read += found
        self.summary.lost += max(0, count - found)

    def _bookie_of(self, bookie_id: str) -> MagnetarBookie:
        return next(b for b in self._bookies if b.bookie_id == bookie_id)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=25)
    parser.add_argument("--bookies", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        loop = BookieKillLoop(Path(directory), options.bookies, random.Random(options.seed))
        summary = loop.run(options.cycles)
    print(json.dumps(summary.as_json(), indent=2))
    sys.exit(1 if summary.lost else 0)


if __name__ == "__main__":
    main()
