"""No step of a flush between two breaths grows with what is flushed: counted, not timed."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.slices import SLICE_NS
from magnetar_storage.ledger_records import LedgerRecord
from magnetar_storage.location_index import Row

from tests.proto.bookie_contract import header_of
from tests.storage.support import Box

COMPARISONS = 30_000
"""Of two numbers, some 30 ns each."""
ENCODINGS = 600
"""Of a row or a record, some 0.5 us each."""


class Used(SystemClock):
    """Each look at it finds a slice used up, so that every breath is a turn of the loop."""

    def __init__(self) -> None:
        self.now_ns = 0

    def monotonic_ns(self) -> int:
        self.now_ns += SLICE_NS
        return self.now_ns


class Longest(NamedTuple):
    comparisons: int
    encodings: int


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    counted: Counter[str] = Counter()

    def counting(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted_call(*arguments: Any) -> Any:
            counted["encodings"] += 1
            return call(*arguments)

        return counted_call

    for owner in (Row, LedgerRecord):
        monkeypatch.setattr(owner, "encode", counting(owner.encode))
    return counted


async def flush(box: Box, steps: Counter[str]) -> Longest:
    """Flush, and count the most that is done in one turn of the loop."""
    box.parts.flusher._clock = Used()
    flushing = asyncio.ensure_future(box.bookie.flush())
    longest: Counter[str] = Counter()
    while not flushing.done():
        steps.clear()
        await asyncio.sleep(0)
        longest |= steps
    await flushing
    return Longest(longest["comparisons"], longest["encodings"])


def fill(box: Box, steps: Counter[str], ledger_ids: list[int], entry_ids: list[int]) -> None:
    """As adds do, with ids that count when they are compared."""

    class Id(int):
        def __lt__(self, other: int) -> bool:
            steps["comparisons"] += 1
            return int(self) < int(other)

        __hash__ = int.__hash__

    for ledger_id in map(Id, ledger_ids):
        record = box.parts.records.obtain(ledger_id)
        for entry_id in map(Id, entry_ids):
            box.parts.cache.put(ledger_id, entry_id, header_of(ledger_id, entry_id), b"")
        record.last_entry = max(entry_ids)
        box.bookie._note_owner(ledger_id, box.bookie.engines[0])


async def test_many_ledgers(tmp_path: Path, steps: Counter[str]) -> None:
    box = Box(tmp_path, write_cache_bytes=1 << 30)
    await box.open()
    ledger_ids = list(range(20_000))
    random.Random(1).shuffle(ledger_ids)
    fill(box, steps, ledger_ids, [0])
    longest = await flush(box, steps)
    print(longest)
    assert longest.comparisons < COMPARISONS
    assert longest.encodings < ENCODINGS
    for ledger_id in (0, 1, 9_999, 19_999):
        assert (await box.read(0, ledger_id=ledger_id))[2] == [header_of(ledger_id, 0)]
    await box.bookie.close()


async def test_many_entries_in_disorder(tmp_path: Path, steps: Counter[str]) -> None:
    box = Box(tmp_path, write_cache_bytes=1 << 30)
    await box.open()
    entry_ids = list(range(30_000))
    random.Random(1).shuffle(entry_ids)
    fill(box, steps, [7], entry_ids)
    longest = await flush(box, steps)
    print(longest)
    assert longest.comparisons < COMPARISONS
    found: list[bytes] = []
    while len(found) < len(entry_ids):
        found += (await box.read(len(found), ledger_id=7))[2]
    assert found == [header_of(7, entry_id) for entry_id in range(30_000)]
    await box.bookie.close()
