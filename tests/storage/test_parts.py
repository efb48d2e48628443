"""What is found is given back when opening fails."""

from pathlib import Path

import pytest
from magnetar_storage.errors import DirectoryError, StorageError

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
