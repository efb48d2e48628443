"""Flush: blocks in order, one commit, slices."""

import asyncio

from magnetar_proto.bookie import Status

from tests.proto.bookie_contract import KEY, LEDGER, Adds, entry_of, header_of
from tests.storage.support import Box


async def test_re_added_entries_are_the_newest_after_each_flush(box: Box) -> None:
    expected: dict[int, int] = {}
    for size, ids in ((20, range(100)), (30, [3, 50, 51, 120]), (40, [2, 3, 4]), (50, [99])):
        await box.add(list(ids), size=size)
        await box.bookie.flush()
        expected.update(dict.fromkeys(ids, size))
    for _ in range(2):
        for entry_id, size in expected.items():
            assert (await box.read(entry_id, 1))[2] == [entry_of(entry_id, size)]
        assert len((await box.read(0))[2]) == 100
        await box.reopen()


async def test_re_adds_in_memory_are_newer_than_blocks(box: Box) -> None:
    await box.add(range(20))
    await box.bookie.flush()
    await box.add([5, 15], size=40)
    sizes = {5: 40, 15: 40}
    assert (await box.read(0))[2] == [entry_of(i, sizes.get(i, 20)) for i in range(20)]


async def test_adds_go_on_during_a_flush_and_are_found(box: Box) -> None:
    await box.add(range(50))
    box.storage_worker.holding = True
    box.parts.flusher.request()
    for _ in range(5):
        await asyncio.sleep(0)
    sink = Adds()
    for entry_id in range(40, 60):
        box.bookie.add(LEDGER, [entry_id], KEY, [header_of(LEDGER, entry_id)], [b"new"], 0, sink)
    await asyncio.sleep(0)
    box.storage_worker.release()
    await box.settle()
    assert box.bookie.counters.flushes == 1
    new = [header_of(LEDGER, entry_id) + b"new" for entry_id in range(40, 60)]
    assert (await box.read(40))[2] == new
    await box.restart()
    assert (await box.read(40))[2] == new


async def test_a_crash_within_a_flush_loses_nothing(box: Box) -> None:
    await box.add(range(50))
    box.disk.failing = "/entries/"
    box.parts.flusher.request()
    await box.settle()
    box.disk.failing = ""
    await box.restart()
    assert not box.bookie.uncertain
    assert (await box.read(0))[2] == [entry_of(entry_id) for entry_id in range(50)]
    assert await box.add([50]) == {50: Status.OK}


async def test_a_flush_comes_by_itself_after_the_interval(box: Box) -> None:
    flusher = box.parts.flusher
    flusher._tick(3_600_000)
    await box.settle()
    assert box.bookie.counters.flushes == 0
    await box.add([0])
    assert flusher._timer is not None
    flusher._timer.cancel()
    flusher._tick(3_600_000)
    await box.settle()
    assert box.bookie.counters.flushes == 1
