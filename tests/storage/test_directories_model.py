"""Directories come, change places and flush at their own pace, and crashes come between.

What was acknowledged is there, in the directory that it was given to.
"""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st
from magnetar_proto.bookie import RECOVERY_ADD, Status

from tests.proto.bookie_contract import entry_of
from tests.storage.support import Box
from tests.storage.test_journals import homes

LEDGERS = range(6)
MOST = 3
Step = tuple[str, Any]
STEPS = st.one_of(
    st.tuples(st.just("add"), st.tuples(st.sampled_from(LEDGERS), st.integers(1, 5))),
    st.tuples(st.just("fence"), st.sampled_from(LEDGERS)),
    st.tuples(st.just("flush"), st.integers(0, MOST - 1)),
    st.tuples(st.sampled_from(["crash", "stop"]), st.none()),
    st.tuples(st.sampled_from(["journal", "ledgers"]), st.integers(0, MOST)),
    st.tuples(st.just("shuffle"), st.randoms(use_true_random=False)),
)
EVERY_LEDGER: list[Step] = [("add", (ledger_id, 1)) for ledger_id in LEDGERS]
KEY_BEHIND_ENTRIES: list[Step] = [
    ("ledgers", 1),
    ("ledgers", 2),
    *EVERY_LEDGER,
    ("journal", 0),
    *EVERY_LEDGER,
    ("flush", 0),
    ("crash", None),
]


class World:
    """A bookie and what it must have."""

    def __init__(self, directory: Path) -> None:
        self.box = Box(directory, write_cache_bytes=60_000)
        self.counts: dict[int, int] = {}
        self.fenced: set[int] = set()
        self.homes: dict[int, int] = {}

    async def step(self, name: str, what: Any) -> None:
        if name == "add":
            await self.add(*what)
        elif name == "fence":
            assert await self.box.fence(what) in (Status.OK, Status.NO_ENTRY)
            self.counts.setdefault(what, 0)
            self.fenced.add(what)
        elif name == "flush":
            # By itself: the power goes before the others have done what they are asked for.
            engines = self.box.bookie.engines
            for engine in engines:
                engine.request_flush = lambda: None  # type: ignore[method-assign]
            await engines[what % len(engines)].flush()
            await self.box.settle()
        elif name == "stop":
            await self.box.reopen()
        else:
            await self.box.crash()
            self.change(name, what)
            await self.box.open()
            await self.check()
        self.homes = homes(self.box)

    def change(self, name: str, what: Any) -> None:
        """Other directories, or the same ones in another order."""
        names = (self.box.journal_names, self.box.ledger_names)
        if name == "shuffle":
            for each in names:
                what.shuffle(each)
        elif name != "crash":
            some = names[name == "ledgers"]
            if len(some) < MOST:
                some.insert(what % (len(some) + 1), f"{name}-{len(some)}")

    async def add(self, ledger_id: int, count: int) -> None:
        first = self.counts.get(ledger_id, 0)
        flags = RECOVERY_ADD if ledger_id in self.fenced else 0
        ends = await self.box.add(range(first, first + count), ledger_id=ledger_id, flags=flags)
        assert set(ends.values()) == {Status.OK}
        self.counts[ledger_id] = first + count

    async def check(self) -> None:
        box = self.box
        assert not box.bookie.uncertain
        assert homes(box) == self.homes
        for ledger_id, count in self.counts.items():
            found = (await box.read(0, ledger_id=ledger_id))[2]
            assert found == [entry_of(entry_id, 20, ledger_id) for entry_id in range(count)]
        for ledger_id in self.fenced:
            assert await box.add([99], ledger_id=ledger_id) == {99: Status.FENCED}


async def run(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        await world.box.open()
        for name, what in steps:
            await world.step(name, what)
        for _ in range(2):
            await world.step("crash", None)
        await world.step("stop", None)
        await world.check()
        await world.box.bookie.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=1, max_size=15))
@example(KEY_BEHIND_ENTRIES)
def test_nothing_is_lost_or_misplaced(steps: list[Step]) -> None:
    asyncio.run(run(steps))


@pytest.mark.nightly
@seed(int(os.environ.get("DIRECTORY_SEED", "1")))
@settings(
    max_examples=int(os.environ.get("DIRECTORY_STORIES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(STEPS, min_size=1, max_size=40))
def test_nothing_is_lost_or_misplaced_at_length(steps: list[Step]) -> None:
    asyncio.run(run(steps))
