"""The monitor asks the disk, tells the bookie once per change, and says why in the log."""

import asyncio
import errno
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from magnetar_runtime.disk import DiskError, DiskSpace
from magnetar_storage.disk_monitor import DiskMonitor
from magnetar_storage.disk_watch import DiskLimits, Room

from tests.storage.support import InlineWorker


class OneDisk:
    """Only its room is asked for; those with a name in `failing` cannot say."""

    def __init__(self) -> None:
        self.free_bytes = 100
        self.failing = ""

    def space(self, path: str) -> DiskSpace:
        if path in self.failing:
            raise DiskError(errno.EIO, "planned", path)
        return DiskSpace(100, self.free_bytes)


class Told:
    """A bookie that owns `a`."""

    def __init__(self) -> None:
        self.rooms: list[dict[str, Room]] = []
        self.failed: list[str] = []

    @property
    def read_only(self) -> bool:
        return self.rooms[-1]["a"] < Room.ENTRIES

    def set_rooms(self, rooms: Mapping[str, Room]) -> None:
        self.rooms.append(dict(rooms))

    def directory_failed(self, path: str, error: OSError) -> bool:
        assert error.errno == errno.EIO
        self.failed.append(path)
        return path == "a"


def monitor_of(disk: OneDisk, told: Told, interval_ms: int = 10) -> DiskMonitor:
    limits = DiskLimits(check_interval_ms=interval_ms)
    a_disk: Any = disk
    return DiskMonitor(a_disk, ["a", "b", "a"], limits, InlineWorker(), told)


async def test_rooms_are_told_and_changes_logged(caplog: pytest.LogCaptureFixture) -> None:
    disk, told = OneDisk(), Told()
    monitor = monitor_of(disk, told)
    caplog.set_level(logging.INFO)
    assert await monitor.check() == 10
    disk.free_bytes = 2
    assert await monitor.check() == 1
    await monitor.check()
    disk.free_bytes = 50
    await monitor.check()
    assert [rooms["b"] is Room.ENTRIES for rooms in told.rooms] == [True, False, False, True]
    levels = [(record.levelname, record.message.partition(" (")[0]) for record in caplog.records]
    assert levels == [
        ("WARNING", "the disk is full: a"),
        ("WARNING", "the disk is full: b"),
        ("INFO", "there is room again on the disk of a"),
        ("INFO", "there is room again on the disk of b"),
    ]


async def test_metrics_show_state_and_room() -> None:
    disk = OneDisk()
    monitor = monitor_of(disk, Told())
    for free_bytes, status in ((100, 1), (0, 0)):
        disk.free_bytes = free_bytes
        await monitor.check()
        state, room, *usage = monitor.families()
        assert [sample.value for sample in state.samples] == [status]
        assert {sample.labels["dir"]: sample.value for sample in room.samples} == {
            "a": free_bytes,
            "b": free_bytes,
        }
        assert {family.name: [sample.value for sample in family.samples] for family in usage} == {
            "bookie_ledger_dir_a_usage": [100 - free_bytes],
            "bookie_ledger_dir_b_usage": [100 - free_bytes],
        }


async def test_a_directory_of_the_bookie_that_cannot_be_looked_at_is_its_own_matter() -> None:
    """It is told once; the others are looked at as before."""
    disk, told = OneDisk(), Told()
    monitor = monitor_of(disk, told)
    disk.failing = "a"
    for _ in range(2):
        await monitor.check()
    assert told.failed == ["a"]
    assert told.rooms == [{"b": Room.ENTRIES}] * 2


async def test_it_looks_until_metadata_cannot_be_looked_at() -> None:
    disk, told = OneDisk(), Told()
    running = asyncio.ensure_future(monitor_of(disk, told, 1).run())
    while len(told.rooms) < 3:
        await asyncio.sleep(0)
    disk.failing = "b"
    with pytest.raises(DiskError, match="planned"):
        await running
