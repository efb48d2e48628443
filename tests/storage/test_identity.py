"""Directories that do not belong together are never opened."""

import random
import shutil
from pathlib import Path
from typing import ClassVar

import pytest
from magnetar_proto.bookie import Status
from magnetar_runtime.system_disk import SystemDisk
from magnetar_storage.config import BookieConfig
from magnetar_storage.errors import DirectoryError
from magnetar_storage.identity import identify
from magnetar_storage.lmdb_index import LmdbIndex
from magnetar_storage.location_index import IndexBatch

from tests.proto.bookie_contract import entry_of
from tests.storage.support import Box

DISK = SystemDisk()
LEDGER_IDS = range(4)


def config(directory: Path) -> BookieConfig:
    return BookieConfig(
        ledger_directories=(str(directory / "ledgers"),),
        journal_directories=(str(directory / "journal"),),
    )


def complete(settings: BookieConfig, index: LmdbIndex, seed: int, disk: SystemDisk = DISK) -> str:
    """What the start of a bookie does with what it finds."""
    found = identify(disk, settings, [index], random.Random(seed))
    found.make_durable(disk, settings)
    for _, batch in found.batches:
        index.commit(batch)
    found.write_labels(disk)
    return found.bookie_id


async def used(tmp_path: Path) -> Box:
    box = Box(tmp_path)
    await box.open()
    await box.add(range(10))
    await box.bookie.close()
    return box


async def several(tmp_path: Path) -> Box:
    """A closed bookie with two ledger directories and two journals, all of them used."""
    box = Box(tmp_path)
    box.ledger_names, box.journal_names = ["a", "b"], ["j", "k"]
    await box.open()
    for ledger_id in LEDGER_IDS:
        await box.add([0], ledger_id=ledger_id)
    await box.bookie.close()
    return box


async def check(box: Box) -> None:
    await box.open()
    for ledger_id in LEDGER_IDS:
        assert (await box.read(0, ledger_id=ledger_id))[2] == [entry_of(0, ledger_id=ledger_id)]
    await box.bookie.close()


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


def test_every_interruption_of_a_first_start_is_gone_on_from(tmp_path: Path) -> None:
    settings = config(tmp_path)
    for directory in ("ledgers/index", "journal"):
        (tmp_path / directory).mkdir(parents=True)
    index = LmdbIndex(str(tmp_path / "ledgers" / "index"), 1 << 20)
    first = complete(settings, index, 1)
    for lost in (["ledgers/BOOKIE"], ["ledgers/BOOKIE", "journal/BOOKIE"]):
        for name in lost:
            (tmp_path / name).unlink()
        assert complete(settings, index, 2) == first
    (tmp_path / "ledgers" / "BOOKIE").unlink()
    (tmp_path / "journal" / "BOOKIE.new").write_text("half")
    assert complete(settings, index, 3) == first
    index.close()


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
    complete(settings, index, 1, Recording())
    index.close()
    before = Recording.calls[: Recording.calls.index(str(tmp_path / "journal/BOOKIE"))]
    assert {str(tmp_path), str(tmp_path / "ledgers/index")} <= set(before)


async def test_directories_are_known_by_what_stands_in_them(tmp_path: Path) -> None:
    """Neither their order nor their names matter."""
    box = await several(tmp_path)
    (tmp_path / "a").rename(tmp_path / "c")
    box.ledger_names, box.journal_names = ["b", "c"], ["k", "j"]
    await check(box)


@pytest.mark.parametrize("lost", ["a", "b", "j", "k"])
async def test_a_disk_that_is_not_mounted_is_noticed(tmp_path: Path, lost: str) -> None:
    box = await several(tmp_path)
    away = (tmp_path / lost).rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(DirectoryError, match=f"{lost} is empty: is its disk mounted"):
            await box.open()
    shutil.rmtree(tmp_path / lost)
    away.rename(tmp_path / lost)
    await check(box)


async def test_a_directory_left_out_of_the_settings_is_noticed(tmp_path: Path) -> None:
    box = await several(tmp_path)
    box.ledger_names = ["b"]
    with pytest.raises(DirectoryError, match="ledger directory 0 of this bookie is not among"):
        await box.open()
    box.ledger_names, box.journal_names = ["a", "b"], ["j"]
    with pytest.raises(DirectoryError, match="journal 1 of this bookie is not among"):
        await box.open()


async def test_a_directory_of_another_bookie_is_refused(tmp_path: Path) -> None:
    box = await several(tmp_path / "one")
    await several(tmp_path / "two")
    for name, message in (("b", "different bookies"), ("k", "belongs to another bookie")):
        own = (tmp_path / "one" / name).rename(tmp_path / "own")
        other = (tmp_path / "two" / name).rename(tmp_path / "one" / name)
        with pytest.raises(DirectoryError, match=message):
            await box.open()
        other.rename(tmp_path / "two" / name)
        own.rename(tmp_path / "one" / name)
    await check(box)


async def test_a_copy_of_a_directory_is_refused(tmp_path: Path) -> None:
    box = await several(tmp_path)
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    box.ledger_names = ["a", "b", "copy"]
    with pytest.raises(DirectoryError, match="copies of one ledger directory"):
        await box.open()


async def test_ledgers_in_the_place_of_a_journal_are_refused(tmp_path: Path) -> None:
    box = await several(tmp_path)
    box.ledger_names, box.journal_names = ["a", "j"], ["b", "k"]
    with pytest.raises(DirectoryError):
        await box.open()


async def test_new_directories_join_and_are_missed_from_then_on(tmp_path: Path) -> None:
    box = await used(tmp_path)
    box.ledger_names, box.journal_names = ["ledgers", "more"], ["journal", "other"]
    await box.open()
    assert (await box.read(0))[2] == [entry_of(entry_id) for entry_id in range(10)]
    for ledger_id in LEDGER_IDS:
        assert await box.add([0], ledger_id=ledger_id) == {0: Status.OK}
    assert all(len(engine.records) for engine in box.bookie.engines)
    await box.restart()
    await box.bookie.close()
    await check(box)
    box.ledger_names = ["ledgers"]
    with pytest.raises(DirectoryError, match="ledger directory 1"):
        await box.open()


async def test_a_new_directory_with_files_in_it_is_refused(tmp_path: Path) -> None:
    box = await used(tmp_path)
    box.ledger_names = ["ledgers", "more"]
    (tmp_path / "more" / "entries").mkdir(parents=True)
    (tmp_path / "more" / "entries" / "0000000000000001.log").touch()
    with pytest.raises(DirectoryError, match="is new, but files"):
        await box.open()


async def test_a_new_directory_is_durable_before_others_count_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut leaves a bookie that asks for a directory that never was."""
    steps: list[str] = []
    commit = LmdbIndex.commit

    def noted_commit(index: LmdbIndex, batch: IndexBatch) -> None:
        if batch.identity is not None:
            steps.append(f"counted by {batch.identity.directory}")
        commit(index, batch)

    box = await used(tmp_path)
    sync_directory = box.disk.sync_directory

    def noted_sync(path: str) -> None:
        steps.append(path.removeprefix(f"{tmp_path}/"))
        sync_directory(path)

    monkeypatch.setattr(LmdbIndex, "commit", noted_commit)
    monkeypatch.setattr(box.disk, "sync_directory", noted_sync)
    box.ledger_names.append("far/away/more")
    await box.open()
    counted = steps.index("counted by 0")
    for made in (str(tmp_path), "far", "far/away", "far/away/more", "far/away/more/index"):
        assert made in steps[:counted]
    await box.bookie.close()


async def test_a_damaged_label_is_refused(tmp_path: Path) -> None:
    box = await used(tmp_path)
    label = tmp_path / "ledgers" / "BOOKIE"
    label.write_text(label.read_text().replace("ledgers 0", "ledgers0"))
    with pytest.raises(DirectoryError, match="damaged"):
        await box.open()


async def test_an_id_can_be_asked_for_and_another_bookies_directories_are_refused(
    tmp_path: Path,
) -> None:
    box = Box(tmp_path, bookie_id="127.0.0.1:3181")
    await box.open()
    assert box.bookie.bookie_id == "127.0.0.1:3181"
    await box.bookie.close()
    box.settings["bookie_id"] = ""
    await box.open()
    assert box.bookie.bookie_id == "127.0.0.1:3181"
    await box.bookie.close()
    box.settings["bookie_id"] = "other"
    with pytest.raises(DirectoryError, match="not to other"):
        await box.open()
