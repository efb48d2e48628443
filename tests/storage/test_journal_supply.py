"""Files of a journal: the next one in time, old ones away, an end whatever the disk does."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from magnetar_runtime.disk import DiskError
from magnetar_storage.journal_files import JournalFile, JournalFiles
from magnetar_storage.journal_supply import JournalSupply

from tests.storage.support import FailingDisk, InlineWorker

LENGTH = 16 << 10


class Rig:
    """A supply, and what it told."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.disk = FailingDisk()
        self.housekeeper = InlineWorker()
        self.ready = 0
        self.errors: list[BaseException] = []
        self.supply = JournalSupply(
            JournalFiles(self.disk, str(directory), 1),
            InlineWorker(),
            self.housekeeper,
            random.Random(1),
            ready=self.note_ready,
            failed=self.errors.append,
        )

    def note_ready(self) -> None:
        self.ready += 1

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    first = await rig.supply.begin(4, 4, LENGTH)
    assert (first.header.number, first.header.length) == (4, LENGTH)
    yield rig
    for file in rig.supply.open_files:
        file.file.close()


async def turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_the_next_file_is_prepared_once_and_taken_once(rig: Rig) -> None:
    supply, first = rig.supply, rig.supply.current
    assert supply.advance() is None
    supply.prepare(LENGTH)
    supply.prepare(LENGTH)
    await turns()
    assert rig.ready == 1
    assert len(supply.open_files) == 2
    second = supply.advance()
    assert second is supply.current
    assert second is not first
    assert second is not None
    assert second.header.number == 5
    assert supply.advance() is None
    assert supply.file_count == 2


async def test_old_files_are_kept_for_new_use_and_counted_no_more(rig: Rig) -> None:
    for _ in range(3):
        rig.supply.prepare(LENGTH)
        await turns()
        rig.supply.advance()
    assert rig.supply.file_count == 4
    rig.supply.retire_before(7)
    rig.supply.retire_before(6)
    await turns()
    assert rig.supply.file_count == 1
    assert rig.names == ["0000000000000004.spare", "0000000000000007.journal"]


async def test_after_an_error_there_is_no_other_file(rig: Rig) -> None:
    rig.disk.failing = "preparing"
    rig.supply.prepare(LENGTH)
    await turns()
    rig.disk.failing = ""
    rig.supply.prepare(LENGTH)
    await turns()
    assert [type(error) for error in rig.errors] == [DiskError]
    assert (rig.ready, len(rig.supply.open_files)) == (0, 1)


async def test_the_end_waits_for_a_file_that_is_being_made_and_closes_all(rig: Rig) -> None:
    rig.housekeeper.holding = True
    rig.supply.prepare(LENGTH)
    ended: list[int] = []

    async def mark_end(file: JournalFile) -> None:
        ended.append(file.header.number)

    closing = asyncio.ensure_future(rig.supply.close(mark_end))
    await turns()
    assert ended == []
    rig.housekeeper.release()
    await closing
    assert ended == [4]
    assert rig.supply.open_files == []


async def test_files_are_closed_though_the_end_cannot_be_marked(rig: Rig) -> None:
    current = rig.supply.current
    assert current is not None

    async def mark_end(_file: JournalFile) -> None:
        raise OSError("planned")

    with pytest.raises(OSError, match="planned"):
        await rig.supply.close(mark_end)
    with pytest.raises(ValueError, match="negative"):
        current.file.sync()
