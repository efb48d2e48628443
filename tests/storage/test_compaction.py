"""Compaction: what lives stays readable, the room of what was deleted comes back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from magnetar_proto.bookie import Status
from magnetar_storage.compaction import LOGS_AT_ONCE, victims
from magnetar_storage.disk_watch import Room

from tests.proto.bookie_contract import header_of, payload_of
from tests.storage.support import Box, flip

SIZE = 1000
COUNT = 40
LOG_BYTES = 64 << 10
MANY_LOGS_BYTES = 16 << 10
RATE = 1 << 40


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[Box]:
    """Three ledgers in logs that they share, the second deleted, and a log that is written."""
    box = await three_ledgers(tmp_path, LOG_BYTES)
    yield box
    await box.bookie.close()


@pytest.fixture
async def many_logs(tmp_path: Path) -> AsyncIterator[Box]:
    """The same in more logs."""
    box = await three_ledgers(tmp_path, MANY_LOGS_BYTES)
    yield box
    await box.bookie.close()


async def three_ledgers(path: Path, log_bytes: int) -> Box:
    box = Box(path, entry_log_bytes=log_bytes)
    await box.open()
    for start in range(0, COUNT, 5):
        for ledger_id in (1, 2, 3):
            await box.add(range(start, start + 5), ledger_id=ledger_id, size=SIZE)
        await box.bookie.flush()
    await box.bookie.delete_ledgers([2])
    return box


async def everything(box: Box, ledger_id: int) -> bool:
    status, first, entries = await box.read(0, ledger_id=ledger_id)
    wanted = [header_of(ledger_id, i) + payload_of(i, SIZE) for i in range(COUNT)]
    return (status, first, entries) == (Status.OK, 0, wanted)


def test_victims_are_those_with_the_least_to_copy() -> None:
    sizes = {1: 100, 2: 100, 3: 100, 4: 100}
    assert victims(sizes, {1: 79, 2: 81, 3: 10}, 0.8) == [4, 3, 1]
    assert victims(dict.fromkeys(range(100), 1), {}, 0.5) == list(range(LOGS_AT_ONCE))


async def test_the_room_comes_back_and_nothing_is_lost(shared: Box) -> None:
    before = shared.logs
    assert await shared.bookie.compact(0.8, RATE) == len(before) - 1
    assert not set(before[:-1]) & set(shared.logs)
    assert await everything(shared, 1)
    assert await everything(shared, 3)
    await shared.restart()
    assert await everything(shared, 1)
    assert await everything(shared, 3)


async def test_logs_that_are_alive_enough_are_left_alone(shared: Box) -> None:
    before = shared.logs
    assert await shared.bookie.compact(0.5, RATE) == 0
    assert shared.logs == before
    assert shared.bookie.counters.compacted_bytes == 0


async def test_a_crash_before_the_commit_leaves_the_old_logs(shared: Box) -> None:
    async def never(*_: object) -> None:
        raise asyncio.CancelledError

    before = shared.logs
    shared.parts.catalog.commit = never  # type: ignore[method-assign, assignment]
    with pytest.raises(asyncio.CancelledError):
        await shared.bookie.compact(0.8, RATE)
    await shared.restart()
    assert set(before[:-1]) <= set(shared.logs)
    assert await everything(shared, 1)


async def test_entries_added_again_meanwhile_stay_the_newest(shared: Box) -> None:
    move_some = shared.parts.compactor._move_some

    async def flush_before(rows: object) -> None:
        shared.parts.catalog.lock.release()
        await shared.add(range(5, 15), ledger_id=1, size=7)
        await shared.bookie.flush()
        await shared.parts.catalog.lock.acquire()
        await move_some(rows)  # type: ignore[arg-type]

    shared.parts.compactor._move_some = flush_before  # type: ignore[method-assign, assignment]
    await shared.bookie.compact(0.8, RATE)
    _, _, entries = await shared.read(0, ledger_id=1)
    sizes = [7 if 5 <= i < 15 else SIZE for i in range(COUNT)]
    assert entries == [header_of(1, i) + payload_of(i, size) for i, size in enumerate(sizes)]


async def test_rows_that_share_a_block_share_its_copy(tmp_path: Path) -> None:
    box = Box(tmp_path, entry_log_bytes=LOG_BYTES)
    await box.open()
    await box.add(range(30), ledger_id=1, size=SIZE)
    await box.add(range(30), ledger_id=2, size=SIZE)
    await box.bookie.flush()
    await box.add(range(10, 20), ledger_id=1, size=20)  # the block has two rows now
    await box.bookie.flush()
    await box.bookie.delete_ledgers([2])
    await box.add(range(60), ledger_id=3, size=SIZE)
    await box.bookie.flush()
    rows = box.parts.catalog.index.between(1, 0, 29)
    blocks = {row.offset: row.length for row in rows}
    assert (len(rows), len(blocks)) == (3, 2)
    assert await box.bookie.compact(1.1, RATE) == 1
    assert box.bookie.counters.compacted_bytes == sum(blocks.values())
    _, _, entries = await box.read(0, ledger_id=1)
    assert [len(entry) - len(header_of(1, 0)) for entry in entries] == (
        [SIZE] * 10 + [20] * 10 + [SIZE] * 10
    )
    await box.bookie.close()


async def test_a_log_with_a_damaged_block_stays(shared: Box) -> None:
    row = shared.parts.catalog.index.between(1, 0, 0)[0]
    damaged = shared.logs[0]
    flip(damaged, row.offset + row.length // 2)
    await shared.bookie.compact(0.8, RATE)
    assert damaged in shared.logs
    assert (await shared.read(0, ledger_id=1))[0] is Status.IO_ERROR
    assert await everything(shared, 3)
    assert shared.bookie.counters.blocks_damaged == 2
    await shared.bookie.compact(0.8, RATE)  # does not look at it again
    assert damaged in shared.logs
    assert shared.bookie.counters.blocks_damaged == 2


async def test_a_failed_disk_takes_the_directory_out_of_use(shared: Box) -> None:
    shared.disk.failing = "entries"
    with pytest.raises(Exception, match="planned"):
        await shared.bookie.compact(0.8, RATE)
    assert shared.bookie.failure is not None


async def test_it_copies_no_quicker_than_it_may(
    shared: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(delay: float) -> None:
        slept.append(delay)
        await real_sleep(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await shared.bookie.compact(0.8, 1000)
    assert sum(slept) == pytest.approx(shared.bookie.counters.compacted_bytes / 1000)


async def test_it_stops_when_the_disk_becomes_full(many_logs: Box) -> None:
    before = many_logs.logs
    move_some = many_logs.parts.compactor._move_some
    moves = 0

    async def full_after(rows: object) -> None:
        nonlocal moves
        moves += 1
        await move_some(rows)  # type: ignore[arg-type]
        many_logs.bookie.set_rooms({many_logs.bookie.engines[0].path: Room.RECOVERY})

    many_logs.parts.compactor._move_some = full_after  # type: ignore[method-assign, assignment]
    await many_logs.bookie.compact(0.8, RATE)
    assert moves == 1
    assert len(many_logs.logs) > len(before) / 2
    assert await everything(many_logs, 1)


async def test_copies_never_take_more_room_than_one_log(many_logs: Box) -> None:
    before = sum(each.stat().st_size for each in many_logs.logs)
    move_some, most = many_logs.parts.compactor._move_some, 0

    async def weighed(rows: object) -> None:
        nonlocal most
        await move_some(rows)  # type: ignore[arg-type]
        most = max(most, sum(each.stat().st_size for each in many_logs.logs))

    many_logs.parts.compactor._move_some = weighed  # type: ignore[method-assign, assignment]
    assert await many_logs.bookie.compact(0.8, RATE) > 2
    assert most <= before + MANY_LOGS_BYTES
