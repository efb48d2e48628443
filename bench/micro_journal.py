"""What one add costs the loop: call, share of the journal group, completion; and how syncs go.

    python bench/micro_journal.py [--entries N] [--payload BYTES] [--window N] [--burst N]

Prints processor time of the loop's thread per entry, entries per second, and how long journal
syncs took. Works in a temporary directory (`--directory` says where).
"""

import argparse
import asyncio
import random
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Sequence

from magnetar_proto.bookie import Status
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.system_disk import SystemDisk
from magnetar_runtime.worker import ThreadWorker
from magnetar_storage.config import BookieConfig
from magnetar_storage.engine import BookieEngine
from magnetar_storage.parts import BookieWorkers

KEY = b"k" * 20
LEDGER = 7


class Load:
    """Keeps a window of adds under way, in bursts as a connection's chunks give them."""

    def __init__(self, engine: BookieEngine, arguments: argparse.Namespace) -> None:
        self.engine = engine
        self.entries: int = arguments.entries
        self.payload = random.randbytes(arguments.payload)
        self.window: int = arguments.window
        self.burst: int = arguments.burst
        self.headers = [
            struct.pack(">qqqq", LEDGER, entry_id, -1, 0) + b"CRC4"
            for entry_id in range(self.entries)
        ]
        self.sent = 0
        self.confirmed = 0
        self.in_add_ns = 0
        self.ended = asyncio.get_running_loop().create_future()

    def adds_completed(self, entry_ids: Sequence[int], status: Status) -> None:
        assert status is Status.OK, status
        self.confirmed += len(entry_ids)
        if self.confirmed == self.entries:
            self.ended.set_result(None)
            return
        self.send()

    def send(self) -> None:
        if not self.engine.writable:
            self.engine.when_writable(self.send)
            return
        last = min(self.entries, self.confirmed + self.window)
        engine_add, payload, headers = self.engine.add, self.payload, self.headers
        begun = time.thread_time_ns()
        for first in range(self.sent, last, self.burst):
            ids = range(first, min(first + self.burst, last))
            some = headers[ids.start : ids.stop]
            engine_add(LEDGER, ids, KEY, some, [payload] * len(ids), 0, self)
        self.in_add_ns += time.thread_time_ns() - begun
        self.sent = max(self.sent, last)


async def measure(arguments: argparse.Namespace, directory: str) -> None:
    loop = asyncio.get_running_loop()
    workers = BookieWorkers(
        ThreadWorker(loop, "journal"), ThreadWorker(loop, "storage"), [ThreadWorker(loop, "reader")]
    )
    config = BookieConfig(
        ledger_directories=(f"{directory}/ledgers",),
        journal_directories=(f"{directory}/journal",),
        write_cache_bytes=arguments.cache_mib << 20,
    )
    engine = await BookieEngine.open(
        config, SystemDisk(), workers, SystemClock(), random.Random(), loop
    )
    load = Load(engine, arguments)
    begun, begun_cpu = time.perf_counter(), time.thread_time_ns()
    load.send()
    await load.ended
    seconds, cpu_ns = time.perf_counter() - begun, time.thread_time_ns() - begun_cpu
    counters = engine.counters
    print(f"{arguments.entries} entries of {arguments.payload} B, window {arguments.window}")
    print(f"  {arguments.entries / seconds:10,.0f} entries/s")
    print(f"  {arguments.entries * arguments.payload / seconds / 1e6:10.1f} MB/s")
    print(f"  {cpu_ns / arguments.entries / 1000:10.2f} us/entry processor time of the loop")
    print(f"  {load.in_add_ns / arguments.entries / 1000:10.2f} us/entry of it in add()")
    print(f"  {arguments.entries / counters.journal_syncs:10.1f} entries per journal sync")
    print(
        f"  {counters.journal_sync_ns / counters.journal_syncs / 1000:10.0f} us mean journal sync"
    )
    print(f"  {percentile_us(counters.journal_sync_buckets, 0.99):10,d} us p99 (bucket's end)")
    print(
        f"  {counters.journal_sync_ns_longest / 1000:10,.0f} us longest; {counters.flushes} flushes"
    )
    await engine.close()
    for worker in (workers.journal, workers.storage, *workers.readers):
        await worker.close()


def percentile_us(buckets: list[int], part: float) -> int:
    """The upper end of the bucket that the percentile falls into."""
    wanted = sum(buckets) * part
    seen = 0
    for index, count in enumerate(buckets):
        seen += count
        if seen >= wanted:
            return 1 << index
    return 1 << len(buckets)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--entries", type=int, default=300_000)
    parser.add_argument("--payload", type=int, default=100)
    parser.add_argument("--window", type=int, default=1000)
    parser.add_argument("--burst", type=int, default=50, help="entries per call of add")
    parser.add_argument("--cache-mib", type=int, default=64)
    parser.add_argument("--directory", default=None)
    arguments = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="micro_journal", dir=arguments.directory)
    try:
        asyncio.run(measure(arguments, directory))
    finally:
        shutil.rmtree(directory)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
