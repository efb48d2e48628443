"""Entry logs: places, writing, reading, the block cache."""

from pathlib import Path

import pytest
from magnetar_runtime.system_disk import SystemDisk
from magnetar_storage.entry_log import (
    BlockCache,
    EntryLogFiles,
    EntryLogReaders,
    EntryLogWriter,
    Piece,
)
from magnetar_storage.entry_log_format import LOG_HEADER_BYTES, Block
from magnetar_storage.errors import EntryLogFormatError

from tests.storage.support import InlineWorker
from tests.storage.test_entry_log_format import block_of


@pytest.fixture
def files(tmp_path: Path) -> EntryLogFiles:
    return EntryLogFiles(SystemDisk(), str(tmp_path))


def test_places_follow_on_and_a_full_log_is_left(files: EntryLogFiles) -> None:
    writer = EntryLogWriter(files, 100)
    writer.begin(5)
    assert writer.place(500) == (5, LOG_HEADER_BYTES)
    assert writer.place(40) == (6, LOG_HEADER_BYTES)
    assert writer.place(40) == (6, LOG_HEADER_BYTES + 40)
    assert writer.place(1) == (7, LOG_HEADER_BYTES) if LOG_HEADER_BYTES > 19 else (6, 100)


async def test_what_is_written_is_read(files: EntryLogFiles) -> None:
    writer = EntryLogWriter(files, 1000)
    writer.begin(1)
    worker = InlineWorker()
    readers = EntryLogReaders(files, [worker])
    block = block_of([1, 2, 3])
    places = []
    for _ in range(20):
        log_id, offset = writer.place(len(block))
        writer.write(Piece(log_id, offset, [block[:10], block[10:]]))
        places.append((log_id, offset))
    writer.close()
    assert files.log_ids() == sorted({log_id for log_id, _ in places})
    assert len(files.log_ids()) > 1
    results: list[tuple[bytes | None, BaseException | None]] = []
    for log_id, offset in places:
        readers.read(log_id, offset, len(block), lambda *result: results.append(result))
    await worker.run(lambda: None)
    assert results == [(block, None)] * 20
    await readers.forget(files.log_ids())
    files.delete(files.log_ids())
    readers.read(1, LOG_HEADER_BYTES, 5, lambda *result: results.append(result))
    await readers.close()
    assert isinstance(results[-1][1], FileNotFoundError)


async def test_a_log_that_is_another_or_too_short_is_refused(files: EntryLogFiles) -> None:
    writer = EntryLogWriter(files, 1000)
    writer.begin(1)
    log_id, offset = writer.place(5)
    writer.write(Piece(log_id, offset, [b"12345"]))
    writer.close()
    worker = InlineWorker()
    readers = EntryLogReaders(files, [worker])
    errors: list[BaseException | None] = []
    readers.read(1, offset, 6, lambda _data, error: errors.append(error))
    await readers.close()
    Path(files.path(1)).rename(files.path(2))
    readers.read(2, offset, 5, lambda _data, error: errors.append(error))
    await readers.close()
    assert [type(error) for error in errors] == [EntryLogFormatError] * 2


def test_the_block_cache_keeps_the_latest_used() -> None:
    block = Block(block_of([1]))
    cache = BlockCache(3 * block.size)
    for offset in range(3):
        cache.put((1, offset), block)
    assert cache.get((1, 0)) is block
    cache.put((1, 3), block)
    assert (1, 1) not in cache
    assert (1, 0) in cache
    assert cache.get((1, 1)) is None
    assert cache.size == 3 * block.size
