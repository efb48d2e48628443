"""Directories that do not belong together are never opened."""

import random
import shutil
from pathlib import Path
from typing import ClassVar

import pytest
from magnetar_runtime.system_disk import SystemDisk
from magnetar_storage.config import BookieConfig
from magnetar_storage.directories import identify, lock_directories
from magnetar_storage.errors import DirectoryError
from magnetar_storage.lmdb_index import LmdbIndex

from tests.storage.support import Box

DISK = SystemDisk()


def config(directory: Path) -> BookieConfig:
    return BookieConfig(
        ledger_directory=str(directory / "ledgers"), journal_directory=str(directory / "journal")
    )


async def used(tmp_path: Path) -> Box:
    box = Box(tmp_path)
    await box.open()
    await box.add(range(10))
    await box.bookie.close()
    return box


@pytest.mark.parametrize("lost", ["journal", "ledgers", "ledgers/index", "ledgers/BOOKIE"])
async def test_a_lost_part_is_noticed(tmp_path: Path, lost: str) -> None:
    box = await used(tmp_path)
    path = tmp_path / lost
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    if lost == "ledgers/BOOKIE":
        # As after a first start that was interrupted: everything else is there, so it goes on.
        await box.open()
        assert len((await box.read(0))[2]) == 10
        await box.bookie.close()
        return
    with pytest.raises(DirectoryError):
        await box.open()
    with pytest.raises(DirectoryError):
        await box.open()


async def test_the_journal_of_another_bookie_is_refused(tmp_path: Path) -> None:
    box = await used(tmp_path / "one")
    await used(tmp_path / "other")
    shutil.rmtree(tmp_path / "one" / "journal")
    shutil.copytree(tmp_path / "other" / "journal", tmp_path / "one" / "journal")
    with pytest.raises(DirectoryError, match="not the journal"):
        await box.open()


async def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    box = await used(tmp_path)
    (tmp_path / "ledgers" / "BOOKIE").write_text("magnetar-bookie 2\nabc\n")
    with pytest.raises(DirectoryError, match="not known"):
        await box.open()


def test_every_interruption_of_a_first_start_is_gone_on_from(tmp_path: Path) -> None:
    settings = config(tmp_path)
    for directory in ("ledgers/index", "journal"):
        (tmp_path / directory).mkdir(parents=True)
    index = LmdbIndex(str(tmp_path / "ledgers" / "index"), 1 << 20)
    first = identify(DISK, settings, index, random.Random(1))
    for lost in (["ledgers/BOOKIE"], ["ledgers/BOOKIE", "journal/BOOKIE"]):
        for name in lost:
            (tmp_path / name).unlink()
        assert identify(DISK, settings, index, random.Random(2)) == first
    (tmp_path / "ledgers" / "BOOKIE").unlink()
    (tmp_path / "journal" / "BOOKIE.new").write_text("half")
    assert identify(DISK, settings, index, random.Random(3)) == first
    index.close()


def test_locks_are_all_taken_or_none(tmp_path: Path) -> None:
    held: list[str] = []

    class Lock:
        def __init__(self, path: str) -> None:
            self.path = path
            if path.endswith("journal"):
                raise BlockingIOError
            held.append(path)

        def release(self) -> None:
            held.remove(self.path)

    with pytest.raises(BlockingIOError):
        lock_directories(config(tmp_path), Lock)
    assert held == []


def test_new_directories_are_durable_before_they_count_as_complete(tmp_path: Path) -> None:
    class Recording(SystemDisk):
        calls: ClassVar[list[str]] = []

        def sync_directory(self, path: str) -> None:
            self.calls.append(path)
            super().sync_directory(path)

        def rename(self, source: str, target: str) -> None:
            self.calls.append(target)
            super().rename(source, target)

    settings = config(tmp_path)
    for directory in ("journal", "ledgers/index"):
        (tmp_path / directory).mkdir(parents=True)
    index = LmdbIndex(str(tmp_path / "ledgers/index"), 1 << 20)
    identify(Recording(), settings, index, random.Random(1))
    index.close()
    before = Recording.calls[: Recording.calls.index(str(tmp_path / "journal/BOOKIE"))]
    assert {str(tmp_path), str(tmp_path / "ledgers/index")} <= set(before)
