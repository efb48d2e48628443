"""Several directories: each ledger stays where it is, each directory fails by itself."""

import asyncio
import errno
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from magnetar_proto.bookie import RECOVERY_ADD, Status
from magnetar_storage.disk_watch import Room
from magnetar_storage.errors import DirectoryError, OutOfUseError
from magnetar_storage.journals import Journals

from tests.proto.bookie_contract import (
    KEY,
    Adds,
    BookieContract,
    entry_of,
    header_of,
)
from tests.storage.support import Box, flip

LEDGER_IDS = range(8)


def several(directory: Path, ledgers: int = 2, journals: int = 2, **settings: int) -> Box:
    box = Box(directory, **settings)
    box.ledger_names = [f"ledgers-{number}" for number in range(ledgers)]
    box.journal_names = [f"journal-{number}" for number in range(journals)]
    return box


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Box]:
    box = several(tmp_path)
    await box.open()
    yield box
    await box.bookie.close()


class TestContract(BookieContract):
    """What every bookie promises, with three directories and two journals."""

    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[Box]:
        box = several(tmp_path, 3, journal_queue_bytes=100_000, write_cache_bytes=6 << 20)
        await box.open()
        yield box
        await box.bookie.close()


async def add_all(box: Box, entry_id: int) -> None:
    for ledger_id in LEDGER_IDS:
        assert await box.add([entry_id], ledger_id=ledger_id) == {entry_id: Status.OK}


async def check_all(box: Box, count: int) -> None:
    for ledger_id in LEDGER_IDS:
        expected = [entry_of(entry_id, ledger_id=ledger_id) for entry_id in range(count)]
        assert (await box.read(0, ledger_id=ledger_id))[2] == expected


def homes(box: Box) -> dict[int, int]:
    return {each: engine.number for engine in box.bookie.engines for each in engine.records}


def files(box: Box, name: str) -> list[str]:
    return [path.name for path in sorted((box.directory / name).glob("*.journal"))]


async def test_a_ledger_stays_in_its_directory(two: Box) -> None:
    """Also when it was in the journal only, and when the choice would be another now."""
    await add_all(two, 0)
    before = homes(two)
    assert set(before.values()) == {0, 1}
    await two.restart()
    assert homes(two) == before
    await two.bookie.flush()
    two.ledger_names.append("ledgers-2")
    await two.restart()
    await add_all(two, 1)
    assert homes(two) == before
    await two.reopen()
    await check_all(two, 2)


@pytest.mark.parametrize("flushed", [0, 1, 2])
async def test_a_ledger_stays_when_its_entries_are_replayed_before_its_key(
    tmp_path: Path, flushed: int
) -> None:
    """Its key is in the old journal, later entries are in a new one that is named first.

    Taken for a ledger of the wrong directory, what lay before that one's mark was passed over.
    """
    box = several(tmp_path, 3, journals=1)
    await box.open()
    await add_all(box, 0)
    before = homes(box)
    box.journal_names.insert(0, "journal-new")
    await box.restart()
    for engine in box.bookie.engines:  # asked to, but the power goes before they have
        engine.request_flush = lambda: None  # type: ignore[method-assign]
    await add_all(box, 1)
    await box.bookie.engines[flushed].flush()
    await add_all(box, 2)
    await box.restart()
    assert homes(box) == before
    await check_all(box, 3)
    await box.reopen()
    await check_all(box, 3)
    await box.bookie.close()


async def test_each_engine_replays_from_its_own_mark(two: Box) -> None:
    await add_all(two, 0)
    await two.bookie.engines[0].flush()
    await add_all(two, 1)
    await two.restart()
    flushed = list(homes(two).values()).count(0)
    assert two.bookie.counters.replayed_entries == 2 * len(LEDGER_IDS) - flushed
    assert not two.bookie.uncertain
    await check_all(two, 2)


async def test_a_journal_file_goes_when_all_marks_have_passed_it(tmp_path: Path) -> None:
    box = several(tmp_path, journals=1)
    await box.open()
    await add_all(box, 0)
    for first in range(0, 2000, 100):
        await box.add(range(first, first + 100), size=200, ledger_id=2)
    held = files(box, "journal-0")
    assert len(held) > 4
    engines = box.bookie.engines
    engines[1].request_flush = lambda: None  # type: ignore[method-assign]
    await engines[0].flush()
    await box.settle()
    assert set(held) <= set(files(box, "journal-0"))
    await engines[1].flush()
    await box.settle()
    assert len(files(box, "journal-0")) <= 2
    await box.restart()
    assert (await box.read(1999, ledger_id=2))[0] is Status.OK
    await box.bookie.close()


async def test_an_idle_engine_does_not_hold_files_back(tmp_path: Path) -> None:
    box = several(tmp_path, journals=1)
    await box.open()
    for first in range(0, 2000, 100):
        await box.add(range(first, first + 100), size=200, ledger_id=2)
    assert len(files(box, "journal-0")) > 4
    await box.bookie.engines[0].flush()
    await box.settle()
    assert len(files(box, "journal-0")) <= 2
    await box.bookie.close()


async def test_a_start_ends_that_flushes_for_an_engine_far_behind(tmp_path: Path) -> None:
    """While a journal is replayed a flush cannot bring the mark up to that of the other engine:
    asked for again and again, it kept the replay from going on."""
    box = several(tmp_path, journals=1)
    await box.open()
    await add_all(box, 0)
    behind, ahead = box.bookie.engines
    behind.request_flush = lambda: None  # type: ignore[method-assign]
    ledger_id = next(each for each, home in homes(box).items() if home == behind.number)
    for first in range(1, 2001, 100):
        await box.add(range(first, first + 100), size=200, ledger_id=ledger_id)
    await ahead.flush()
    await box.crash()
    box.settings["write_cache_bytes"] = 200_000
    async with asyncio.timeout(10):
        await box.open()
    assert (await box.read(2000, ledger_id=ledger_id))[0] is Status.OK
    await box.bookie.close()


async def test_a_failed_directory_is_out_of_use_and_the_other_goes_on(two: Box) -> None:
    await add_all(two, 0)
    broken, well = two.bookie.engines
    two.disk.failing = "/ledgers-0/"
    with pytest.raises(OutOfUseError):
        await two.bookie.flush()
    assert broken.failure is not None
    assert well.failure is two.bookie.failure is None
    assert two.failures == []
    for ledger_id, home in homes(two).items():
        expected = Status.IO_ERROR if home == 0 else Status.OK
        assert await two.add([1], ledger_id=ledger_id) == {1: expected}
        assert (await two.read(0, 1, ledger_id=ledger_id))[0] is Status.OK
    for ledger_id in range(100, 110):  # new ones go where they can
        assert await two.add([0], ledger_id=ledger_id) == {0: Status.OK}
    await well.flush()
    await two.add([1], ledger_id=100)
    two.disk.failing = "/ledgers-"
    with pytest.raises(OutOfUseError):
        await well.flush()
    assert two.bookie.failure is not None
    assert len(two.failures) == 1
    two.disk.failing = ""
    await two.restart()
    assert two.bookie.failure is None
    for ledger_id in LEDGER_IDS:
        assert (await two.read(0, 1, ledger_id=ledger_id))[2] == [entry_of(0, ledger_id=ledger_id)]


async def test_a_failed_journal_is_out_of_use_and_the_other_goes_on(two: Box) -> None:
    await add_all(two, 0)
    two.disk.failing = "/journal-0/"
    ends = {each: (await two.add([1], ledger_id=each))[1] for each in LEDGER_IDS}
    assert set(ends.values()) == {Status.OK, Status.IO_ERROR}
    assert two.bookie.failure is None
    for ledger_id in range(100, 110):
        assert await two.add([0], ledger_id=ledger_id) == {0: Status.OK}
    two.disk.failing = "/journal-"
    assert await two.add([1], ledger_id=100) == {1: Status.IO_ERROR}
    assert two.bookie.failure is not None
    assert len(two.failures) == 1
    two.disk.failing = ""
    await two.restart()
    for ledger_id, end in ends.items():
        found = (await two.read(1, 1, ledger_id=ledger_id))[0]
        assert found is Status.OK or end is Status.IO_ERROR


async def test_a_full_directory_is_left_out_and_the_other_goes_on(two: Box) -> None:
    await add_all(two, 0)
    full, roomy = two.config.ledger_directories
    two.bookie.set_rooms({full: Room.RECOVERY, roomy: Room.ENTRIES})
    assert not two.bookie.read_only
    for ledger_id, home in homes(two).items():
        expected = Status.READ_ONLY if home == 0 else Status.OK
        assert await two.add([1], ledger_id=ledger_id) == {1: expected}
        assert (await two.read(0, 1, ledger_id=ledger_id))[0] is Status.OK
    for ledger_id in range(100, 110):
        assert await two.add([0], ledger_id=ledger_id) == {0: Status.OK}
        assert homes(two)[ledger_id] == 1
    await two.bookie.flush()
    two.bookie.set_rooms({full: Room.RECOVERY, roomy: Room.NONE})
    assert two.bookie.read_only
    assert await two.add([0], ledger_id=110) == {0: Status.READ_ONLY}
    two.bookie.set_rooms({full: Room.ENTRIES, roomy: Room.NONE})
    assert not two.bookie.read_only
    assert await two.add([0], ledger_id=110) == {0: Status.OK}
    assert two.failures == []


async def test_the_bookie_is_read_only_when_only_a_full_directory_works(two: Box) -> None:
    full, broken = two.config.ledger_directories
    two.bookie.set_rooms({full: Room.NONE, broken: Room.ENTRIES})
    assert two.bookie.directory_failed(broken, OSError(errno.EIO, "planned"))
    assert two.bookie.read_only
    assert two.bookie.failure is None
    assert two.failures == []
    assert await two.add([0], ledger_id=1) == {0: Status.READ_ONLY}


async def test_files_of_a_failed_disk_that_cannot_be_closed_are_no_hindrance(
    two: Box, caplog: pytest.LogCaptureFixture
) -> None:
    """A system may tell EIO only then; the clean end of the others is marked all the same."""
    await add_all(two, 0)
    await two.bookie.flush()
    await add_all(two, 1)
    two.disk.failing = "-0/"
    with pytest.raises(OutOfUseError):
        await two.bookie.flush()
    assert await two.add([0], ledger_id=100) == {0: Status.IO_ERROR}
    two.disk.failing_close = "-0/"
    await two.bookie.close()
    assert caplog.text.count("cannot be closed") == 2
    two.disk.failing = two.disk.failing_close = ""
    await two.open()
    assert not two.bookie.uncertain
    await check_all(two, 2)


async def test_the_first_error_of_a_disk_at_the_end_is_told(two: Box) -> None:
    await add_all(two, 0)
    two.disk.failing_close = "/journal-0/"
    with pytest.raises(OSError, match="planned close"):
        await two.bookie.close()
    two.disk.failing_close = ""
    await two.open()
    await check_all(two, 1)


async def test_a_full_journal_stops_adds_unless_it_failed(two: Box) -> None:
    path = two.config.journal_directories[0]
    two.bookie.set_rooms({path: Room.NONE})
    assert two.bookie.read_only
    assert two.bookie.directory_failed(path, OSError(errno.EIO, "planned"))
    two.bookie.set_rooms({path: Room.NONE})
    assert not two.bookie.read_only
    assert not two.bookie.directory_failed("elsewhere", OSError(errno.EIO, "planned"))
    for ledger_id in range(100, 110):
        assert await two.add([0], ledger_id=ledger_id) == {0: Status.OK}


async def test_a_ledger_of_a_failed_journal_can_be_fenced_and_recovered(two: Box) -> None:
    """Else nobody could close it before a restart."""
    await add_all(two, 0)
    two.disk.failing = "/journal-0/"
    ends = {each: (await two.add([1], ledger_id=each))[1] for each in LEDGER_IDS}
    concerned = [each for each, end in ends.items() if end is Status.IO_ERROR]
    assert concerned
    for ledger_id in concerned:
        assert await two.fence(ledger_id) is Status.OK
        assert await two.add([2], ledger_id=ledger_id) == {2: Status.FENCED}
        assert await two.add([2], ledger_id=ledger_id, flags=RECOVERY_ADD) == {2: Status.OK}
    two.disk.failing = ""
    before = homes(two)
    await two.restart()
    assert homes(two) == before
    for ledger_id in concerned:
        assert await two.add([3], ledger_id=ledger_id) == {3: Status.FENCED}
        assert (await two.read(2, 1, ledger_id=ledger_id))[0] is Status.OK


async def test_producers_wait_for_the_fullest_directory(tmp_path: Path) -> None:
    box = several(tmp_path, write_cache_bytes=256 << 10, journal_queue_bytes=1 << 30)
    await box.open()
    box.storage_worker.holding = True
    sink = Adds()
    for entry_id in range(200):
        if not box.bookie.writable:
            break

        box.bookie.add(2, [entry_id], KEY, [header_of(2, entry_id)], [bytes(1000)], 0, sink)
        await asyncio.sleep(0)
    assert not box.bookie.writable
    called: list[bool] = []
    box.bookie.when_writable(lambda: called.append(box.bookie.writable))
    box.storage_worker.release()
    await box.settle()
    assert called == [True]
    await box.bookie.close()


def test_the_choice_of_a_journal_is_among_the_working_ones() -> None:
    journals = Journals([0, 1, 5], ["a", "b", "c"])
    assert {journals.choose(ledger_id) for ledger_id in range(9)} == {0, 1, 2}
    assert journals.out_of_use(1, OSError())
    assert {journals.choose(ledger_id) for ledger_id in range(9)} == {0, 2}
    assert journals.out_of_use(0, OSError())
    assert not journals.out_of_use(2, OSError())


async def test_a_new_directory_knows_of_earlier_damage(tmp_path: Path) -> None:
    """Else it would call half of the lost ledgers absent."""
    box = several(tmp_path, ledgers=1, journals=1)
    await box.open()
    await add_all(box, 0)
    await box.crash()
    for path in (tmp_path / "journal-0").glob("*.journal"):
        path.unlink()
    await box.open()
    box.ledger_names.append("ledgers-1")
    await box.reopen()
    for ledger_id in LEDGER_IDS:
        assert (await box.read(0, ledger_id=ledger_id))[0] is Status.IO_ERROR
    await box.bookie.certify([], unknown=True)
    box.ledger_names.append("ledgers-2")
    await box.reopen()
    for ledger_id in LEDGER_IDS:
        assert (await box.read(0, ledger_id=ledger_id))[0] is Status.NO_LEDGER
    await box.bookie.close()


async def test_what_another_engine_has_flushed_is_not_torn(tmp_path: Path) -> None:
    """Its mark says that the group was durable, so one that is not whole there is damage."""
    box = several(tmp_path, journals=1)
    await box.open()
    await add_all(box, 0)
    flushed = box.bookie.engines[0]
    await flushed.flush()
    mark = flushed.marks[0]
    await box.crash()
    flip(tmp_path / "journal-0" / f"{mark.number:016x}.journal", mark.offset - 3)
    await box.open()
    assert box.bookie.uncertain
    lost = [each for each in LEDGER_IDS if each not in homes(box)]
    assert len(lost) == 1
    assert (await box.read(0, ledger_id=lost[0]))[0] is Status.IO_ERROR
    await box.bookie.close()


async def test_files_missing_at_the_end_are_noticed_by_the_other_mark(tmp_path: Path) -> None:
    """And what is added afterwards does not look like what that engine has already."""
    box = several(tmp_path, journals=1)
    await box.open()
    await add_all(box, 0)
    flushed, behind = box.bookie.engines
    behind.request_flush = lambda: None  # type: ignore[method-assign]
    for first in range(1, 800, 100):
        await box.add(range(first, first + 100), size=200, ledger_id=1)
    await flushed.flush()
    reached = flushed.marks[0]
    assert behind.marks[0].number < reached.number
    await box.crash()
    for name in files(box, "journal-0")[1:]:
        (tmp_path / "journal-0" / name).unlink()
    await box.open()
    assert homes(box)[1] == behind.number
    assert (await box.read(800, ledger_id=1))[0] is Status.IO_ERROR
    synced = box.bookie.journals.all[0].synced
    assert synced.number > reached.number
    assert synced.sequence >= reached.sequence
    await box.bookie.close()


async def test_a_new_journal_is_missed_before_the_first_flush(tmp_path: Path) -> None:
    """What replay left in the write cache must not keep it out of the index: it takes adds."""
    box = several(tmp_path, ledgers=1, journals=1)
    await box.open()
    await add_all(box, 0)
    box.journal_names.append("journal-1")
    await box.restart()
    await box.add([0], ledger_id=101)
    await box.crash()
    shutil.rmtree(tmp_path / "journal-1")
    with pytest.raises(DirectoryError, match="journal 1"):
        await box.open()
