"""Reads from disk: read-ahead, one load for many, damage within a run."""

import asyncio

from magnetar_proto.bookie import Status

from tests.proto.bookie_contract import LEDGER, MAX_BYTES, Reads, entry_of
from tests.storage.support import Box


async def flushed(box: Box, count: int, size: int) -> None:
    await box.add(range(count), size=size)
    await box.reopen()


async def test_a_sequential_reader_finds_blocks_read_ahead(box: Box) -> None:
    await flushed(box, 1000, 1024)
    counters = box.bookie.counters
    entry_id = 0
    while True:
        status, _, entries = await box.read(entry_id, 50)
        if status is not Status.OK:
            break
        assert entries == [entry_of(e, 1024) for e in range(entry_id, entry_id + len(entries))]
        entry_id += len(entries)
    assert (entry_id, status) == (1000, Status.NO_ENTRY)
    assert counters.blocks_read == 9
    assert counters.blocks_read_ahead >= 7


async def test_a_single_read_reads_nothing_ahead_but_the_next_one_does(box: Box) -> None:
    await flushed(box, 1000, 1024)
    await box.read(500, 1)
    assert box.bookie.counters.blocks_read_ahead == 0
    await box.read(501, 1)
    assert box.bookie.counters.blocks_read_ahead > 0


async def test_readers_of_one_block_share_its_load(box: Box) -> None:
    await flushed(box, 10, 20)
    sink = Reads()
    for context in range(5):
        box.bookie.read(LEDGER, context, 1, MAX_BYTES, 0, b"", sink, context)
    await box.settle()
    assert [row[3] for row in sink.rows] == [[entry_of(context)] for context in range(5)]
    assert box.bookie.counters.blocks_read == 1


async def test_a_cache_that_keeps_nothing_still_gives_entries(box: Box) -> None:
    box.settings["read_cache_bytes"] = 0
    await flushed(box, 500, 1024)
    assert len((await box.read(0, 500))[2]) == 500


async def test_a_run_ends_before_damage_and_the_next_read_says_so(box: Box) -> None:
    await flushed(box, 300, 1024)
    log = box.logs[0]
    data = bytearray(log.read_bytes())
    data[200_000] ^= 1
    log.write_bytes(bytes(data))
    status, _, entries = await box.read(0)
    assert status is Status.OK
    assert 0 < len(entries) < 300
    assert (await box.read(len(entries)))[0] is Status.IO_ERROR
    assert (await box.read(299))[0] is Status.OK
    assert box.bookie.counters.blocks_damaged


async def test_bytes_bound_a_read_across_places(box: Box) -> None:
    await box.add(range(10), size=1000)
    await box.bookie.flush()
    await box.add(range(10, 20), size=1000)
    size = len(entry_of(0, 1000))
    assert len((await box.read(0, max_bytes=12 * size))[2]) == 12
    assert len((await box.read(0, max_bytes=10 * size + 1))[2]) == 10
    assert len((await box.read(9, max_bytes=2 * size - 1))[2]) == 1


async def test_gaps_between_blocks(box: Box) -> None:
    await box.add([0, 1, 5])
    await box.bookie.flush()
    await box.add([3, 9])
    await box.bookie.flush()
    for entry_id, count in ((0, 2), (1, 1), (3, 1), (5, 1), (9, 1)):
        assert len((await box.read(entry_id))[2]) == count
    for entry_id in (2, 4, 6, 8, 10):
        assert (await box.read(entry_id))[0] is Status.NO_ENTRY


async def test_drain_waits_for_reads(box: Box) -> None:
    await flushed(box, 10, 20)
    sink = Reads()
    box.bookie.read(LEDGER, 0, 1, MAX_BYTES, 0, b"", sink, 0)
    await asyncio.wait_for(box.parts.reads.drain(), 5)
    assert box.parts.reads.pending == 0
