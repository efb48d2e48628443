"""A subscription with very many ack holes on the real store: a restart forgets none.

ACK_HOLES says how many; with -s the figures are printed.
"""

import asyncio
import os
import resource
import time
from pathlib import Path
from typing import Any

from magnetar_cli.standalone import open_standalone
from magnetar_ledger.managed import Cursor, ManagedLedger
from magnetar_ledger.position import EARLIEST, Position
from magnetar_runtime.settings import StandaloneSettings

from tests.ledger.managed.harness import Appended

HOLES = int(os.environ.get("ACK_HOLES", "50000"))
NAME = "public/default/persistent/holes"
SETTINGS = StandaloneSettings(broker_service_port=0, web_service_port=None)
RUN_ENTRIES = 1_000


def never(error: BaseException) -> None:
    raise AssertionError(error)


class Steps:
    """The longest time that the loop did not turn, in CPU time of the process."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            before = time.process_time()
            await asyncio.sleep(0)
            self.longest_ms = max(self.longest_ms, 1000 * (time.process_time() - before))

    def stop(self) -> float:
        self._task.cancel()
        return self.longest_ms


async def open_topic(standalone: Any) -> ManagedLedger:
    managed: ManagedLedger = await standalone.broker.topics._open_ledger(NAME, create=True)
    return managed


async def append(managed: ManagedLedger, count: int) -> None:
    managed.sink = appended = Appended()
    for first in range(0, count, RUN_ENTRIES):
        managed.add_all([b"x"] * RUN_ENTRIES)
        while appended.settled < first:
            await asyncio.sleep(0)
    while appended.settled < count:
        await asyncio.sleep(0.001)
    assert not appended.failures


async def ack_every_other(managed: ManagedLedger, cursor: Cursor) -> list[Position]:
    """Every second entry of the topic; those that are left are holes."""
    ledgers = managed._ledgers
    holes = []
    for ledger_id in ledgers.ids:
        for entry_id in range(0, ledgers.entries[ledger_id], 2):
            holes.append(Position(ledger_id, entry_id))
            cursor.ack_individual(Position(ledger_id, entry_id + 1))
            if entry_id % 1000 == 0:
                await asyncio.sleep(0)
    return holes


def figures(what: str, cpu_s: float, longest_ms: float) -> None:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what}: {cpu_s * 1000:.1f} ms CPU, longest step {longest_ms:.1f} ms, {peak_mb:.0f} MB")


async def test_a_restart_forgets_no_hole(tmp_path: Path) -> None:
    async with open_standalone(SETTINGS, tmp_path / "data", never) as standalone:
        managed = await open_topic(standalone)
        await append(managed, 2 * HOLES)
        cursor = await managed.open_cursor("s", EARLIEST)
        holes = await ack_every_other(managed, cursor)
        assert cursor.range_count == HOLES
        steps, before = Steps(), time.process_time()
        await cursor.flush()
        figures(f"{HOLES} holes written", time.process_time() - before, steps.stop())
        await managed.close()
    async with open_standalone(SETTINGS, tmp_path / "data", never) as standalone:
        steps, before = Steps(), time.process_time()
        managed = await open_topic(standalone)
        figures("topic opened", time.process_time() - before, steps.stop())
        cursor = managed.cursors["s"]
        assert cursor.backlog_entries == HOLES
        for position in holes:
            assert not cursor.is_acked(position)
            assert cursor.is_acked(Position(position.ledger_id, position.entry_id + 1))
        await managed.close()
