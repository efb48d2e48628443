"""Pieces: few of them at once with the worker, each block at the place that it was given."""

import asyncio
import errno
from pathlib import Path

import pytest
from magnetar_runtime.disk import DiskError
from magnetar_storage.counters import BookieCounters
from magnetar_storage.entry_log import EntryLogFiles, EntryLogWriter
from magnetar_storage.location_index import Row
from magnetar_storage.pieces import PIECE_BYTES, Pieces

from tests.storage.support import FailingDisk, InlineWorker

BLOCK = PIECE_BYTES // 2


class Bench:
    """Pieces on a disk, in logs of four blocks."""

    def __init__(self, directory: Path) -> None:
        self.disk = FailingDisk()
        self.worker = InlineWorker()
        self.writer = EntryLogWriter(EntryLogFiles(self.disk, str(directory)), 4 * BLOCK + 100)
        self.pieces = Pieces(self.writer, self.worker, BookieCounters())

    def add(self, number: int) -> Row:
        return self.pieces.add(7, [number], [b"%d" % (number % 10) * BLOCK])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_blocks_are_where_their_rows_say(bench: Bench, tmp_path: Path) -> None:
    rows = []
    for number in range(10):
        rows.append(bench.add(number))
        if bench.pieces.full:
            await bench.pieces.write()
    await bench.pieces.finish()
    bench.writer.close()
    assert {row.log_id for row in rows} == {0, 1, 2}
    for row in rows:
        data = (tmp_path / f"{row.log_id:016x}.log").read_bytes()
        wanted = b"%d" % (row.first_entry % 10) * BLOCK
        assert data[row.offset : row.offset + row.length] == wanted


async def test_a_slow_disk_gets_three_pieces_at_once(bench: Bench) -> None:
    bench.worker.holding = True

    async def write_all() -> None:
        for number in range(10):
            bench.add(number)
            if bench.pieces.full:
                await bench.pieces.write()
        await bench.pieces.finish()

    writing = asyncio.ensure_future(write_all())
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(bench.worker.held) == 3
    assert not writing.done()
    bench.worker.release()
    await writing
    bench.writer.close()


async def test_an_error_of_any_piece_is_told(bench: Bench) -> None:
    bench.disk.failing = ".log"
    bench.add(0)
    await bench.pieces.write()
    await asyncio.sleep(0)
    bench.disk.failing = ""
    bench.add(1)
    with pytest.raises(DiskError) as caught:
        await bench.pieces.finish()
    assert caught.value.errno == errno.EIO
