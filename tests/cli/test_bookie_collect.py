"""Garbage collection on demand."""

import asyncio
from typing import Any

import pytest
from magnetar_cli.bookie_collect import ForcedCollection
from magnetar_runtime.scope import TaskScope
from magnetar_storage.compaction_schedule import CompactionConfig
from magnetar_storage.errors import OutOfUseError


class Bookie:
    """Remembers the shares that it was to compact."""

    def __init__(self) -> None:
        self.shares: list[float] = []
        self.failing = False

    async def compact(self, share: float, rate: int) -> int:
        await asyncio.sleep(0)
        if self.failing:
            raise OutOfUseError("planted")
        self.shares.append(share)
        return 1


class World:
    def __init__(self, scope: TaskScope, **config: Any) -> None:
        self.bookie: Any = Bookie()
        self.collections = 0
        self.forced = ForcedCollection(
            scope, self.bookie, self._collect, CompactionConfig(**config)
        )

    async def _collect(self) -> None:
        self.collections += 1

    async def run(self, *, minor: bool, major: bool) -> list[float]:
        self.bookie.shares.clear()
        self.forced.start(minor=minor, major=major)
        while self.forced.running:
            await asyncio.sleep(0)
        return list(self.bookie.shares)


async def test_the_larger_share_that_is_wanted_and_not_turned_off_counts() -> None:
    async with TaskScope() as scope:
        world = World(scope)
        assert await world.run(minor=True, major=True) == [0.8]
        assert await world.run(minor=True, major=False) == [0.2]
        assert await world.run(minor=False, major=False) == []
        assert world.collections == 3
        off = World(scope, major_interval_ms=0, minor_interval_ms=0)
        assert await off.run(minor=True, major=True) == []


async def test_one_at_a_time() -> None:
    async with TaskScope() as scope:
        world = World(scope)
        world.forced.start(minor=True, major=True)
        assert await world.run(minor=True, major=False) == [0.8]
        assert world.collections == 1


async def test_a_disk_that_fails_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with TaskScope() as scope:
        world = World(scope)
        world.bookie.failing = True
        await world.run(minor=True, major=True)
        assert "garbage was not collected" in caplog.text
        world.bookie.failing = False
        assert await world.run(minor=True, major=True) == [0.8]
