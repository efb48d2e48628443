"""Every way that a process can end, and every way that a journal can be damaged."""

from pathlib import Path

import pytest
from magnetar_proto.bookie import LAST_ENTRY, Status
from magnetar_storage.journal_format import FILE_HEADER_BYTES, GROUP_MAGIC

from tests.proto.bookie_contract import entry_of
from tests.storage.support import Box, flip


def group_offsets(path: Path) -> list[int]:
    data = path.read_bytes()
    found = []
    at = data.find(GROUP_MAGIC, FILE_HEADER_BYTES)
    while at >= 0:
        found.append(at)
        at = data.find(GROUP_MAGIC, at + 1)
    return found


async def three_groups(box: Box) -> Path:
    for entry_id in range(3):
        await box.add([entry_id])
    return box.journals[-1]


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("clean", [False, True])
async def test_everything_is_there_after_any_ending(
    box: Box, *, flushed: bool, clean: bool
) -> None:
    for round_ in range(3):
        await box.add(range(100 * round_, 100 * round_ + 100))
        if flushed:
            await box.bookie.flush()
            await box.add([100 * round_ + 50], size=33)
        await (box.reopen() if clean else box.restart())
        assert not box.bookie.uncertain
    status, _, entries = await box.read(0)
    assert status is Status.OK
    expected = [
        entry_of(entry_id, 33 if flushed and entry_id % 100 == 50 else 20)
        for entry_id in range(300)
    ]
    assert entries == expected
    assert (await box.read(300))[0] is Status.NO_ENTRY
    assert (await box.read(LAST_ENTRY))[1] == 299


async def test_a_clean_stop_leaves_nothing_to_replay(box: Box) -> None:
    await box.add(range(10))
    await box.reopen()
    assert box.bookie.counters.replayed_entries == 0


async def test_keys_and_fences_come_back_from_index_and_journal(box: Box) -> None:
    await box.fence(1)
    await box.bookie.flush()
    await box.fence(2)
    await box.restart()
    for ledger_id in (1, 2):
        assert await box.add([0], ledger_id=ledger_id) == {0: Status.FENCED}
        assert await box.add([0], ledger_id=ledger_id, key=b"o" * 20) == {0: Status.UNAUTHORIZED}


@pytest.mark.parametrize("cut", [5, 40, 60])
async def test_a_torn_last_group_is_cut(box: Box, cut: int) -> None:
    path = await three_groups(box)
    last = group_offsets(path)[-1]
    await box.crash()
    data = path.read_bytes()
    path.write_bytes(data[: last + cut] + bytes(len(data) - last - cut))
    await box.open()
    assert not box.bookie.uncertain
    assert (await box.read(0))[2] == [entry_of(0), entry_of(1)]
    assert (await box.read(2))[0] is Status.NO_ENTRY
    # The cut file stays until the next flush: it must be understood once more.
    await box.add([2])
    await box.restart()
    assert not box.bookie.uncertain
    assert len((await box.read(0))[2]) == 3


async def test_a_flip_in_the_middle_is_damage_and_nothing_is_called_absent(box: Box) -> None:
    path = await three_groups(box)
    middle = group_offsets(path)[1]
    await box.crash()
    flip(path, middle + 50)
    await box.open()
    assert box.bookie.uncertain
    assert (await box.read(0))[2] == [entry_of(0)]
    assert (await box.read(1))[0] is Status.IO_ERROR
    assert (await box.read(2))[2] == [entry_of(2)]
    assert (await box.read(0, ledger_id=99))[0] is Status.IO_ERROR
    assert (await box.read(LAST_ENTRY, ledger_id=99))[0] is Status.IO_ERROR
    # The damage outlives the journal file that had it.
    await box.reopen()
    assert (await box.read(1))[0] is Status.IO_ERROR


async def test_a_destroyed_group_header_is_damage(box: Box) -> None:
    path = await three_groups(box)
    middle = group_offsets(path)[1]
    await box.crash()
    flip(path, middle)
    await box.open()
    assert (await box.read(1))[0] is Status.IO_ERROR


async def test_a_lost_group_at_the_end_of_an_earlier_file_is_damage(box: Box) -> None:
    for first in range(0, 600, 100):
        await box.add(range(first, first + 100), size=200)
    earlier = box.journals[0]
    last = group_offsets(earlier)[-1]
    await box.crash()
    data = earlier.read_bytes()
    earlier.write_bytes(data[:last] + bytes(len(data) - last))
    await box.open()
    assert box.bookie.uncertain
    assert (await box.read(599, 1))[0] is Status.OK


async def test_a_shorter_file_is_damage(box: Box) -> None:
    path = await three_groups(box)
    await box.crash()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)
    await box.open()
    assert box.bookie.uncertain


async def test_a_damaged_file_header_is_damage(box: Box) -> None:
    path = await three_groups(box)
    await box.crash()
    flip(path, 9)
    await box.open()
    assert box.bookie.uncertain
    assert (await box.read(0))[0] is Status.IO_ERROR


async def test_missing_journal_files_are_damage(box: Box) -> None:
    path = await three_groups(box)
    await box.crash()
    path.unlink()
    await box.open()
    assert box.bookie.uncertain


async def test_a_journal_larger_than_the_write_cache_is_flushed_on_the_way(tmp_path: Path) -> None:
    box = Box(tmp_path)
    await box.open()
    for first in range(0, 1000, 100):
        await box.add(range(first, first + 100), size=200)
    await box.crash()
    box.settings["write_cache_bytes"] = 128 << 10
    await box.open()
    await box.settle()
    assert box.bookie.counters.flushes > 2
    assert len((await box.read(0))[2]) == 1000
    await box.restart()
    assert len((await box.read(0))[2]) == 1000
    await box.bookie.close()


async def test_a_crash_during_replay_loses_nothing(box: Box) -> None:
    await box.add(range(100))
    await box.restart()
    await box.restart()
    assert len((await box.read(0))[2]) == 100


async def test_recycled_files_do_not_bring_old_groups_back(box: Box) -> None:
    for round_ in range(8):
        await box.add(range(round_ * 300, round_ * 300 + 300), size=100)
        await box.bookie.flush()
    spares = list((box.directory / "journal").glob("*.spare"))
    assert spares
    assert len(spares) <= box.config.journal_spare_files
    await box.add([5000])
    await box.restart()
    assert not box.bookie.uncertain
    assert box.bookie.counters.replayed_entries == 1
    assert len((await box.read(0, 5000))[2]) == 2400


async def test_damage_is_not_forgotten_when_replay_ends_behind_it(tmp_path: Path) -> None:
    """A flush during replay moves the mark past the damage; the next start does not see it."""
    box = Box(tmp_path)
    await box.open()
    for first in range(0, 1000, 100):
        await box.add(range(first, first + 100), size=200)
    first_file, last_file = box.journals[0], box.journals[-1]
    await box.crash()
    flip(first_file, group_offsets(first_file)[0] + 2000)
    box.settings["write_cache_bytes"] = 128 << 10
    saved = last_file.rename(tmp_path / "saved")
    last_file.mkdir()
    with pytest.raises(OSError, match="directory"):
        await box.open()
    last_file.rmdir()
    saved.rename(last_file)
    await box.open()
    assert (await box.read(999))[0] is Status.OK
    assert (await box.read(0))[0] is Status.IO_ERROR
    assert box.bookie.counters.replayed_entries < 900, "the mark had not moved past the damage"
    await box.bookie.close()
