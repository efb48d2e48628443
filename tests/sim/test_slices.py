"""Flush, replay, deletion and collection never do more than a slice and a step in one callback.

Counted in the simulator, so that neither the machine nor its load matters.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from magnetar_proto.bookie import Status
from magnetar_runtime.sim import CALM, SimDisk, SimLoop, SimWorker
from magnetar_runtime.slices import SLICE_NS, Slices
from magnetar_storage.config import BookieConfig
from magnetar_storage.engine import BookieEngine
from magnetar_storage.parts import BookieWorkers
from magnetar_storage.sim_index import SimIndex

from tests.proto.bookie_contract import KEY, Adds, header_of
from tests.sim.bookie_world import NEVER_MS, NoLock
from tests.sim.work_meter import WorkClock, WorkMeter
from tests.storage.test_garbage import Listing

LIMIT_NS = 2 * SLICE_NS
"""A slice, and the step in which it was used up."""

CONFIG = BookieConfig(
    ledger_directories=("drive/ledgers",),
    journal_directories=("drive/journal",),
    write_cache_bytes=1 << 30,
    journal_queue_bytes=1 << 30,
    flush_interval_ms=NEVER_MS,
)


class Apart(SimWorker):
    """A worker whose calls are not the loop's work."""

    def __init__(self, loop: SimLoop, meter: WorkMeter) -> None:
        super().__init__(loop, random.Random(1))
        self._meter = meter

    def submit(self, call: Callable[[], Any], done: Callable[..., None]) -> None:
        super().submit(partial(self._meter.apart, call), done)


class Measured:
    """A bookie on a simulated disk, and the most that each kind of work did in one callback."""

    def __init__(self, loop: SimLoop, meter: WorkMeter) -> None:
        self.longest: dict[str, tuple[int, str]] = {}
        self._loop = loop
        self._meter = meter
        self._disk = SimDisk()

    async def open(self) -> None:
        """Open it on what the disk has."""
        self.bookie = await BookieEngine.open(
            CONFIG,
            self._disk,
            BookieWorkers(*(self._worker() for _ in range(2)), [self._worker()]),
            WorkClock(self._loop, self._meter),
            random.Random(1),
            self._loop,
            open_index=lambda directory, _map_bytes: SimIndex(self._disk, directory),
            lock=lambda _directory: NoLock(),
        )

    async def fill(self, ledgers: int, entries: int) -> None:
        sink = Adds()
        for ledger_id in range(1, ledgers + 1):
            for first in range(0, entries, 500):
                ids = range(first, min(first + 500, entries))
                headers = [header_of(ledger_id, entry_id) for entry_id in ids]
                self.bookie.add(ledger_id, ids, KEY, headers, [bytes(100)] * len(ids), 0, sink)
                await asyncio.sleep(0)
        await self.bookie.journals.drain()
        assert all(status is Status.OK for _, status in sink.batches)

    async def measure(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        await asyncio.sleep(0)
        with self._meter:
            self._meter.reset()
            await asyncio.ensure_future(work)
            await asyncio.sleep(0)
        self.longest[name] = self._meter.longest_ns, self._meter.longest

    def kill(self) -> None:
        """Go on with the disk as it is, as after `kill -9`."""
        self._disk = self._disk.fork()

    def _worker(self) -> SimWorker:
        return Apart(self._loop, self._meter)


def run(main: Callable[[Measured], Coroutine[Any, Any, None]]) -> Measured:
    meter = WorkMeter()
    with asyncio.Runner(loop_factory=lambda: SimLoop(0, CALM, trace=meter)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, SimLoop)
        measured = Measured(loop, meter)
        runner.run(main(measured))
    return measured


@pytest.mark.parametrize(
    ("ledgers", "entries"), [(1, 20_000), (4_000, 1)], ids=["many entries", "many ledgers"]
)
def test_no_work_holds_the_loop(ledgers: int, entries: int) -> None:
    async def main(measured: Measured) -> None:
        await measured.open()
        await measured.fill(ledgers, entries)
        await measured.measure("flush", measured.bookie.flush())
        await measured.measure("collection", measured.bookie.collect_garbage(Listing([])))
        assert measured.bookie.counters.ledgers_deleted == ledgers
        await measured.fill(ledgers, entries)
        measured.kill()
        await measured.measure("replay", measured.open())
        assert measured.bookie.counters.replayed_entries >= ledgers * entries
        await measured.measure("flush after replay", measured.bookie.flush())
        await measured.bookie.close()

    longest = run(main).longest
    print(longest)
    assert all(0 < took_ns <= LIMIT_NS for took_ns, _ in longest.values()), longest


def test_work_without_slices_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hold_breath(_slices: Slices) -> None:
        """A bug: nobody else runs."""

    monkeypatch.setattr(Slices, "breathe", hold_breath)

    async def main(measured: Measured) -> None:
        await measured.open()
        await measured.fill(4_000, 1)
        await measured.measure("flush", measured.bookie.flush())

    (took_ns, _), *_ = run(main).longest.values()
    assert took_ns > LIMIT_NS
