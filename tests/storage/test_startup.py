"""The start of an engine: what stands in the directories before it takes adds."""

from pathlib import Path

import pytest
from magnetar_proto.bookie import Status
from magnetar_storage.errors import OutOfUseError

from tests.proto.bookie_contract import entry_of
from tests.storage.support import Box


async def test_the_first_journal_file_is_missed_from_the_start(box: Box) -> None:
    """Its absence is noticed although nothing was ever flushed."""
    await box.add([0])
    await box.crash()
    box.journals[0].unlink()
    await box.open()
    assert box.bookie.uncertain


async def test_a_bookie_that_is_killed_again_and_again_keeps_few_journal_files(box: Box) -> None:
    """Scenario: it serves for less than the flush interval each time, and every start adds one."""
    await box.add(range(3))
    for _ in range(6):
        await box.restart()
        await box.settle()
        assert len(box.journals) <= 2
    assert (await box.read(0))[2] == [entry_of(entry_id) for entry_id in range(3)]


async def test_a_start_does_not_wait_for_the_flush_that_it_asks_for(box: Box) -> None:
    await box.add(range(3))
    await box.restart()
    assert box.parts.flusher.busy
    assert box.bookie.counters.flushes == 0
    assert await box.add([3]) == {3: Status.OK}
    assert box.bookie.counters.flushes == 1


async def test_a_start_that_replays_nothing_flushes_nothing(box: Box) -> None:
    await box.add(range(3))
    await box.reopen()
    await box.settle()
    assert box.bookie.counters.flushes == 0


async def test_a_log_of_a_flush_that_did_not_end_goes(box: Box) -> None:
    await box.add(range(10))
    box.disk.failing = "/entries/"
    with pytest.raises(OutOfUseError):
        await box.bookie.flush()
    box.disk.failing = ""
    (left,) = box.logs
    await box.restart()
    await box.bookie.flush()
    assert left not in box.logs
    assert (await box.read(0))[2] == [entry_of(entry_id) for entry_id in range(10)]


async def test_a_disk_that_fails_while_the_journal_is_replayed_is_not_served_from(
    tmp_path: Path,
) -> None:
    """The flush that failed was the last one asked for: nobody waited for it."""
    box = Box(tmp_path)
    await box.open()
    await box.add(range(100), size=1000)
    await box.crash()
    box.settings["write_cache_bytes"] = 200_000
    box.disk.failing = "/entries/"
    with pytest.raises(OutOfUseError):
        await box.open()
    box.disk.failing = ""
    await box.open()
    assert len((await box.read(0))[2]) == 100
    await box.bookie.close()
