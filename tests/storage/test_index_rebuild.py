"""A damaged index is made anew from the entry logs: nothing is lost, nothing is called absent."""

import shutil
from pathlib import Path

import pytest
from magnetar_proto.bookie import LAST_ENTRY, RECOVERY_ADD, Status
from magnetar_storage import index_rebuild
from magnetar_storage.errors import DirectoryError

from tests.proto.bookie_contract import LEDGER, entry_of
from tests.storage.support import Box, flip

OTHER = LEDGER + 1
COUNT = 300


def data_file(box: Box) -> Path:
    return box.directory / "ledgers" / "index" / "data.mdb"


async def written(box: Box) -> None:
    """In logs: two ledgers, one with entries added again. In the journal: more of one."""
    for ledger_id in (LEDGER, OTHER):
        await box.add(range(COUNT), ledger_id=ledger_id)
    await box.bookie.flush()
    await box.add(range(100, 110), size=33, flags=RECOVERY_ADD)
    await box.bookie.flush()
    await box.add(range(COUNT, COUNT + 5))


async def spoil(box: Box) -> None:
    await box.crash()
    path = data_file(box)
    path.write_bytes(path.read_bytes()[: 3 * 4096])
    await box.open()


async def test_all_entries_are_there_again(box: Box) -> None:
    await written(box)
    await spoil(box)
    expected = [entry_of(e, 33 if 100 <= e < 110 else 20) for e in range(COUNT + 5)]
    for _ in range(2):
        assert (await box.read(0))[2] == expected
        assert len((await box.read(0, ledger_id=OTHER))[2]) == COUNT
        assert (await box.read(LAST_ENTRY))[1] == COUNT + 4
        await box.restart()
    assert (box.directory / "ledgers" / "index.damaged-1" / "data.mdb").exists()
    assert not (box.directory / "ledgers" / "index.new").exists()


async def test_nothing_is_called_absent_and_no_writer_goes_on(box: Box) -> None:
    await written(box)
    await spoil(box)
    assert box.bookie.uncertain
    for ledger_id, entry_id in ((LEDGER, COUNT + 5), (OTHER, COUNT), (99, 0)):
        assert (await box.read(entry_id, 1, ledger_id=ledger_id))[0] is Status.IO_ERROR
    assert await box.add([COUNT], ledger_id=OTHER) == {COUNT: Status.FENCED}
    recovered = await box.add([COUNT], ledger_id=OTHER, flags=RECOVERY_ADD)
    assert recovered == {COUNT: Status.OK}
    assert await box.add([0], ledger_id=50) == {0: Status.OK}
    assert (await box.read(1, 1, ledger_id=50))[0] is Status.NO_ENTRY


async def test_damaged_blocks_are_passed_over(box: Box) -> None:
    await written(box)
    rows = box.parts.catalog.index.between(OTHER, 0, COUNT)
    await box.bookie.close()
    for journal in box.journals:
        journal.unlink()  # kept for new use, and replayed as long as they are there
    flip(box.logs[0], rows[0].offset + 200)
    data_file(box).write_bytes(bytes(5000))
    await box.open()
    assert len((await box.read(0))[2]) == COUNT + 5
    assert (await box.read(0, ledger_id=OTHER))[0] is Status.IO_ERROR


async def test_it_can_be_interrupted(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    await written(box)
    await box.crash()
    path = data_file(box)
    path.write_bytes(path.read_bytes()[: 3 * 4096])

    def fails(*_: object) -> None:
        raise OSError("planned")

    for name in ("_take_logs", "finish_rebuild"):
        with monkeypatch.context() as patch:
            patch.setattr(index_rebuild, name, fails)
            with pytest.raises(OSError, match="planned"):
                await box.open()
    await box.open()
    assert len((await box.read(0))[2]) == COUNT + 5


async def test_only_the_damaged_one_of_several_directories(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.ledger_names = ["ledgers", "more"]
    await box.open()
    await written(box)
    await spoil(box)
    assert len((await box.read(0))[2]) == COUNT + 5
    assert len((await box.read(0, ledger_id=OTHER))[2]) == COUNT
    assert not list((tmp_path / "more").glob("index.damaged*"))
    await box.bookie.close()


async def test_without_a_label_nobody_guesses(box: Box) -> None:
    await written(box)
    await box.crash()
    data_file(box).write_bytes(b"rubbish")
    (box.directory / "ledgers" / "BOOKIE").unlink()
    with pytest.raises(DirectoryError, match="nothing says whose"):
        await box.open()
    assert data_file(box).read_bytes() == b"rubbish"
    shutil.rmtree(box.directory)
    box.directory.mkdir()
    await box.open()
