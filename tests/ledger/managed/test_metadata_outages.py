"""Metadata comes and goes while a topic is written: nothing confirmed is lost, whoever reads next.

METADATA_OUTAGES says how many stories are told (12).
"""

import asyncio
import os
import random
from typing import Any

import pytest
from magnetar_ledger.errors import ManagedLedgerFencedError
from magnetar_ledger.managed import ManagedLedger, Retention
from magnetar_metadata.store import UnknownOutcomeError
from magnetar_proto.bookie import Status

from tests.ledger.managed.harness import Appended, World, add, read_all, run, until

STORIES = int(os.environ.get("METADATA_OUTAGES", "12"))
FIRST = int(os.environ.get("METADATA_OUTAGES_SEED", "60"))
KEEP = Retention(time_ms=-1, size_bytes=-1)
READS = ("get", "children", "sync")
WRITES = ("set", "create", "delete")


class Outages:
    """While it is away calls end late and unknown, and some of the changes were made."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.away = False
        self.chance = 0.05  # that a call is the first to meet it
        self._rng = rng
        for name in (*READS, *WRITES):
            self._wrap(world.store, name)

    def _wrap(self, store: Any, name: str) -> None:
        real = getattr(store, name)

        async def call(path: str, *args: Any, **options: Any) -> Any:
            # Often just between two calls that belong together.
            self.away = self.away or self._rng.random() < self.chance
            if not self.away:
                return await real(path, *args, **options)
            if name in WRITES and self._rng.random() < 0.3:
                await real(path, *args, **options)
            await asyncio.sleep(self._rng.choice([0.0, 0.5, 5.0]))
            raise UnknownOutcomeError(path, "away")

        setattr(store, name, call)


async def numbers_of(managed: ManagedLedger) -> list[int]:
    return [int(data.split()[1]) for data in await read_all(managed)]


async def write(world: World, managed: ManagedLedger, rng: random.Random, out: Outages) -> int:
    """Add in bursts under failures of bookies and metadata; how many were added."""
    sent = 0
    for _ in range(60):
        if rng.random() < 0.15:
            out.away = False
        for bookie in world.bookies:
            bookie.answer = Status.IO_ERROR if rng.random() < 0.02 else None
        count = rng.randrange(6)
        add(managed, sent, count)
        sent += count
        for _ in range(rng.randrange(30)):
            await asyncio.sleep(0)
        if rng.random() < 0.3:
            await asyncio.sleep(rng.choice([0.3, 2, 20]))
    for bookie in world.bookies:
        bookie.answer = None
    return sent


async def open_again(world: World) -> ManagedLedger:
    """Scenario: the old owner lists its next ledger just now. Then the new one begins anew."""
    for _ in range(5):
        try:
            return (await world.open(retention=KEEP))[0]
        except ManagedLedgerFencedError:
            continue
    raise AssertionError("an owner that was fenced has written again and again")


@pytest.mark.parametrize("seed", range(FIRST, FIRST + STORIES))
def test_nothing_confirmed_is_lost(seed: int) -> None:
    async def main() -> None:
        rng = random.Random(seed)
        world = World(bookies=3)
        managed, appended = await world.open(
            max_entries_per_ledger=rng.choice([3, 7, 20]), retention=KEEP
        )
        failed: list[int] = []
        appended.failures = _Rows(appended, failed)  # type: ignore[assignment]
        out = Outages(world, rng)
        sent = await write(world, managed, rng, out)
        if rng.random() < 0.5:
            out.away, out.chance = False, 0.0
            await until(lambda: appended.settled == sent)
        # As after a kill: another owner comes, and the old one knows nothing of it.
        out.away, out.chance = False, 0.0
        again = await open_again(world)
        kept = await numbers_of(again)
        assert kept == sorted(set(kept)), "an entry twice, or before an older one"
        assert _confirmed(appended, failed) <= set(kept)
        await again.close()
        await managed.close()

    run(main())


class _Rows(list[Any]):
    """Which numbers failed: ends come in the order of adds, so counting them is enough."""

    def __init__(self, appended: Appended, failed: list[int]) -> None:
        super().__init__()
        self._appended = appended
        self._failed = failed

    def append(self, row: Any) -> None:
        first = self._appended.settled
        self._failed += range(first, first + row[0])
        super().append(row)


def _confirmed(appended: Appended, failed: list[int]) -> set[int]:
    return set(range(appended.settled)) - set(failed)
