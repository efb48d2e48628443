"""What is found is given back when opening fails."""

import asyncio
import random
import threading
from pathlib import Path

import pytest
from magnetar_runtime.system_disk import SystemDisk
from magnetar_runtime.worker import ThreadWorker
from magnetar_storage.errors import DirectoryError, StorageError
from magnetar_storage.parts import BookieWorkers, find

from tests.storage.support import Box


async def test_nothing_is_held_after_a_failed_start(tmp_path: Path) -> None:
    box = Box(tmp_path)
    await box.open()
    await box.add(range(10))
    await box.crash()
    box.disk.failing = "preparing"
    with pytest.raises(OSError, match="planned"):
        await box.open()
    box.disk.failing = ""
    await box.open()
    assert len((await box.read(0))[2]) == 10
    await box.bookie.close()


async def test_a_flush_that_fails_during_replay_is_an_error_of_opening(tmp_path: Path) -> None:
    box = Box(tmp_path)
    await box.open()
    for first in range(0, 500, 100):
        await box.add(range(first, first + 100), size=200)
    await box.crash()
    box.settings["write_cache_bytes"] = 20_000
    box.disk.failing = "/entries/"
    with pytest.raises(StorageError):
        await box.open()
    box.disk.failing = ""
    await box.open()
    assert len((await box.read(0))[2]) == 500
    await box.bookie.close()


class SlowDisk(SystemDisk):
    """Making directories takes as long as the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = threading.Event(), threading.Event()

    def make_directories(self, path: str) -> None:
        if path.endswith("/index"):
            self.begun.set()
            assert self.may_end.wait(20)
        super().make_directories(path)


async def test_locks_outlive_the_calls_that_a_cancelled_start_leaves_behind(tmp_path: Path) -> None:
    released: list[str] = []

    class Held:
        def __init__(self, path: str) -> None:
            self._path = path

        def release(self) -> None:
            released.append(self._path)

    loop, disk, config = asyncio.get_running_loop(), SlowDisk(), Box(tmp_path).config
    workers = BookieWorkers(*(ThreadWorker(loop, f"parts-{n}") for n in range(2)), [])
    opening = asyncio.ensure_future(find(config, disk, workers, random.Random(), None, Held))
    try:
        assert await asyncio.to_thread(disk.begun.wait, 20)
        opening.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
        assert released == []
        disk.may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert len(released) == 2
    finally:
        disk.may_end.set()
        for worker in workers.of_disks:
            await worker.close()


async def test_a_refused_directory_is_given_free(tmp_path: Path) -> None:
    box = Box(tmp_path)
    (tmp_path / "ledgers" / "entries").mkdir(parents=True)
    stray = tmp_path / "ledgers" / "entries" / "0000000000000001.log"
    stray.write_bytes(b"")
    with pytest.raises(DirectoryError):
        await box.open()
    stray.unlink()
    await box.open()
    await box.bookie.close()
