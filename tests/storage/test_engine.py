"""The engine as a bookie, and what only an engine with a disk does."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from magnetar_proto.bookie import LAST_ENTRY, Status
from magnetar_runtime.errors import DirectoryLockedError
from magnetar_storage.errors import OutOfUseError

from tests.proto.bookie_contract import (
    KEY,
    LEDGER,
    MAX_BYTES,
    Adds,
    BookieContract,
    Reads,
    entry_of,
    header_of,
)
from tests.storage.support import Box


class TestContract(BookieContract):
    """What every bookie promises."""

    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[Box]:
        box = Box(tmp_path, journal_queue_bytes=100_000, write_cache_bytes=2 << 20)
        await box.open()
        yield box
        await box.bookie.close()


async def test_entries_are_the_same_from_every_place(box: Box) -> None:
    expected = [entry_of(entry_id) for entry_id in range(100)]
    await box.add(range(100))
    assert (await box.read(0))[2] == expected
    await box.bookie.flush()
    assert (await box.read(0))[2] == expected
    await box.reopen()
    assert (await box.read(0))[2] == expected
    assert (await box.read(40, 3))[2] == expected[40:43]


async def test_a_read_goes_on_from_disk_to_memory(box: Box) -> None:
    await box.add(range(50))
    await box.bookie.flush()
    await box.add(range(50, 80))
    assert (await box.read(10))[2] == [entry_of(entry_id) for entry_id in range(10, 80)]


async def test_a_second_engine_on_the_directories_is_refused(box: Box, tmp_path: Path) -> None:
    with pytest.raises(DirectoryLockedError):
        await Box(tmp_path).open()
    assert (await box.add([0])) == {0: Status.OK}


async def test_the_id_stays(box: Box) -> None:
    before = box.bookie.bookie_id
    await box.restart()
    assert box.bookie.bookie_id == before


async def test_nothing_is_acked_before_the_sync(box: Box) -> None:
    box.journal_worker.holding = True
    sink = Adds()
    box.bookie.add(LEDGER, [0], KEY, [header_of(LEDGER, 0)], [b"x"], 0, sink)
    await asyncio.sleep(0)
    assert box.journal_worker.held
    assert sink.batches == []
    box.journal_worker.release()
    await box.settle()
    assert sink.by_entry == {0: Status.OK}


async def test_the_first_failed_sync_of_the_journal_is_the_last(box: Box) -> None:
    await box.add([0])
    box.disk.failing = "/journal/"
    assert await box.add([1, 2]) == {1: Status.IO_ERROR, 2: Status.IO_ERROR}
    box.disk.failing = ""
    syncs = box.disk.syncs
    assert await box.add([3]) == {3: Status.IO_ERROR}
    assert box.disk.syncs == syncs
    assert box.bookie.failure is not None
    assert len(box.failures) == 1
    assert (await box.read(0, 1))[2] == [entry_of(0)]
    assert await box.fence() is Status.IO_ERROR
    with pytest.raises(OutOfUseError):
        await box.bookie.flush()
    with pytest.raises(OutOfUseError):
        await box.bookie.delete_ledgers([LEDGER])


async def test_a_failed_flush_takes_the_engine_out_of_use(box: Box) -> None:
    await box.add(range(10))
    box.disk.failing = "/entries/"
    with pytest.raises(OutOfUseError):
        await box.bookie.flush()
    box.disk.failing = ""
    assert await box.add([10]) == {10: Status.IO_ERROR}
    assert len((await box.read(0))[2]) == 10
    await box.restart()
    assert len((await box.read(0))[2]) == 10
    assert await box.add([10]) == {10: Status.OK}


async def test_too_many_reads_are_refused(tmp_path: Path) -> None:
    box = Box(tmp_path, max_pending_reads=2)
    await box.open()
    sink = Reads()
    for context in range(3):
        box.bookie.read(LEDGER, 0, 1, MAX_BYTES, 0, b"", sink, context)
    await box.settle()
    assert [row[1] for row in sink.rows].count(Status.TOO_MANY_REQUESTS) == 1
    box.bookie.read(LEDGER, -2, 1, MAX_BYTES, 0, b"", sink, 9)
    await box.settle()
    assert sink.rows[-1][1] is Status.BAD_REQUEST
    await box.bookie.close()


async def test_memory_stays_bounded_and_producers_are_stopped(tmp_path: Path) -> None:
    box = Box(tmp_path, write_cache_bytes=128 << 10)
    bookie = await box.open()
    box.storage_worker.holding = True
    sink = Adds()
    for entry_id in range(1000):
        bookie.add(LEDGER, [entry_id], KEY, [header_of(LEDGER, entry_id)], [bytes(1000)], 0, sink)
        if entry_id == 70:
            assert bookie.writable or box.parts.cache.active.size >= 64 << 10
        await asyncio.sleep(0)
    cache = box.parts.cache
    assert cache.active.size + cache.flushing.size < 256 << 10
    assert not bookie.writable
    called: list[bool] = []
    bookie.when_writable(lambda: called.append(True))
    box.storage_worker.release()
    await box.settle()
    ends = sink.by_entry
    assert len(ends) == 1000
    assert set(ends.values()) == {Status.OK, Status.TOO_MANY_REQUESTS}
    assert called == [True]
    for entry_id, status in ends.items():
        found = (await box.read(entry_id, 1))[0]
        assert found is (Status.OK if status is Status.OK else Status.NO_ENTRY)
        if entry_id > 150:
            break
    await bookie.close()


async def test_journal_files_go_after_a_flush(box: Box) -> None:
    for first in range(0, 2000, 100):
        await box.add(range(first, first + 100), size=200)
    assert len(box.journals) > 5
    await box.bookie.flush()
    await box.settle()
    assert len(box.journals) <= 2
    assert len((await box.read(0, 5000))[2]) == 2000
    await box.restart()
    assert box.bookie.counters.replayed_entries == 0
    assert len((await box.read(0, 5000))[2]) == 2000


async def test_what_is_deleted_is_unknown_and_its_logs_go(tmp_path: Path) -> None:
    box = Box(tmp_path, entry_log_bytes=100_000)
    bookie = await box.open()
    await box.add(range(400), size=1000)
    await bookie.flush()
    await box.add([0], ledger_id=8)
    await bookie.flush()
    assert len(box.logs) > 3
    await bookie.delete_ledgers([LEDGER, 99])
    assert len(box.logs) == 1
    assert (await box.read(0))[0] is Status.NO_LEDGER
    assert (await box.read(LAST_ENTRY, ledger_id=8))[0] is Status.OK
    await box.restart()
    assert (await box.read(0))[0] is Status.NO_LEDGER
    assert (await box.read(0, ledger_id=8))[2] == [entry_of(0, ledger_id=8)]
    await box.bookie.close()


async def test_closing_refuses_what_comes_later(tmp_path: Path) -> None:
    box = Box(tmp_path)
    bookie = await box.open()
    adds, reads = Adds(), Reads()
    bookie.add(LEDGER, [0], KEY, [header_of(LEDGER, 0)], [b""], 0, adds)
    closing = asyncio.create_task(bookie.close())
    await asyncio.sleep(0)
    bookie.add(LEDGER, [1], KEY, [header_of(LEDGER, 1)], [b""], 0, adds)
    bookie.read(LEDGER, 0, 1, MAX_BYTES, 0, b"", reads, 0)
    await closing
    await bookie.close()
    assert adds.by_entry == {0: Status.OK, 1: Status.UNAVAILABLE}
    assert reads.rows[0][1] is Status.UNAVAILABLE


async def test_a_damaged_block_is_never_called_absent(box: Box) -> None:
    await box.add(range(10))
    await box.bookie.flush()
    data = box.logs[0].read_bytes()
    box.logs[0].write_bytes(data[:-5] + b"xxxxx")
    assert (await box.read(3))[0] is Status.IO_ERROR
    assert (await box.read(10))[0] is Status.NO_ENTRY
    box.logs[0].write_bytes(data)
    assert (await box.read(3, 1))[2] == [entry_of(3)]


async def test_a_missing_entry_log_is_never_called_absent(box: Box) -> None:
    await box.add(range(10))
    await box.reopen()
    box.logs[0].rename(box.logs[0].with_suffix(".away"))
    assert (await box.read(3))[0] is Status.IO_ERROR


async def test_after_a_failed_flush_nobody_waits_for_another(box: Box) -> None:
    await box.add(range(10))
    box.disk.failing = "/entries/"
    async with asyncio.timeout(0.2):
        for _ in range(2):
            with pytest.raises(OutOfUseError):
                await box.bookie.flush()
        box.parts.flusher.request()  # as its timer does
        await box.bookie.close()


async def test_a_flush_that_ends_by_a_bug_takes_the_engine_out_of_use(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else adds would be taken until memory is full, and then nothing would ever happen."""

    def bug(_: int) -> tuple[int, int]:
        raise ZeroDivisionError

    monkeypatch.setattr(box.parts.writer, "place", bug)
    await box.add(range(10))
    async with asyncio.timeout(0.2):
        with pytest.raises(OutOfUseError):
            await box.bookie.flush()
    assert await box.add([10]) == {10: Status.IO_ERROR}
    assert [type(error) for error in box.failures] == [ZeroDivisionError]
    assert len((await box.read(0))[2]) == 10
