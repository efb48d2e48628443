"""The monitor asks the disk, tells the bookie once per change, and says why in the log."""

import asyncio
import errno
import logging
from typing import Any

import pytest
from magnetar_runtime.disk import DiskError, DiskSpace
from magnetar_storage.disk_monitor import DiskMonitor
from magnetar_storage.disk_watch import DiskLimits

from tests.storage.support import InlineWorker


class OneDisk:
    """Only its room is asked for."""

    def __init__(self) -> None:
        self.free_bytes = 100
        self.failing = False

    def space(self, path: str) -> DiskSpace:
        if self.failing:
            raise DiskError(errno.EIO, "planned", path)
        return DiskSpace(100, self.free_bytes)


def monitor_of(disk: OneDisk, told: list[bool], interval_ms: int = 10) -> DiskMonitor:
    limits = DiskLimits(check_interval_ms=interval_ms)
    a_disk: Any = disk
    return DiskMonitor(a_disk, ["a", "b"], limits, InlineWorker(), told.append)


async def test_changes_are_told_once_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    disk, told = OneDisk(), list[bool]()
    monitor = monitor_of(disk, told)
    caplog.set_level(logging.INFO)
    assert await monitor.check() == 10
    disk.free_bytes = 2
    assert await monitor.check() == 1
    await monitor.check()
    assert monitor.read_only
    disk.free_bytes = 50
    await monitor.check()
    assert told == [True, False]
    levels = [(record.levelname, record.message.partition(" (")[0]) for record in caplog.records]
    assert levels == [
        ("WARNING", "the disk is full: a"),
        ("WARNING", "the disk is full: b"),
        ("WARNING", "the bookie is read-only: it takes no entries until there is room again"),
        ("INFO", "there is room again on the disk of a"),
        ("INFO", "there is room again on the disk of b"),
        ("INFO", "the bookie takes entries again"),
    ]


async def test_metrics_show_state_and_room() -> None:
    disk = OneDisk()
    monitor = monitor_of(disk, [])
    for free_bytes, status in ((100, 1), (0, 0)):
        disk.free_bytes = free_bytes
        await monitor.check()
        state, room = monitor.families()
        assert [sample.value for sample in state.samples] == [status]
        assert {sample.labels["dir"]: sample.value for sample in room.samples} == {
            "a": free_bytes,
            "b": free_bytes,
        }


async def test_it_looks_until_a_disk_cannot_be_looked_at() -> None:
    disk, told = OneDisk(), list[bool]()
    running = asyncio.ensure_future(monitor_of(disk, told, 1).run())
    disk.free_bytes = 0
    while not told:
        await asyncio.sleep(0)
    disk.failing = True
    with pytest.raises(DiskError, match="planned"):
        await running
