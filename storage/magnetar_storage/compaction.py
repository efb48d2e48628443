"""Compaction: logs of which little is alive give their blocks to the newest log, and go.

A block is copied as it is, checksum and all, and only if it is whole. The copies are synced before
the commit that points the rows to them, so a crash in between leaves a log that nothing points to,
or one whose rows point to it still. A row that a flush changes meanwhile is left for the next run.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from magnetar_runtime.clock import Clock
from magnetar_runtime.disk import Worker
from magnetar_runtime.slices import Slices

from magnetar_storage.catalog import Catalog
from magnetar_storage.counters import BookieCounters
from magnetar_storage.entry_log import EntryLogFiles, EntryLogReaders, EntryLogWriter, Piece
from magnetar_storage.entry_log_format import LOG_HEADER_BYTES, Block
from magnetar_storage.errors import EntryLogFormatError
from magnetar_storage.location_index import IndexBatch, Row, row_key
from magnetar_storage.suspects import Suspects

_log = logging.getLogger(__name__)
_SCAN_ROWS: Final = 256
_BATCH_BYTES: Final = 1 << 20
LOGS_AT_ONCE: Final = 16
"""How many logs one run takes at most: it keeps their rows in memory."""

_Place = tuple[int, int]


def victims(sizes: Mapping[int, int], live: Mapping[int, int], max_share: float) -> list[int]:
    """Logs worth compacting, those with the least to copy first.

    Args:
        sizes: of the logs, headers not counted.
        live: bytes of each log that rows point to; more than its size where several rows share a
            block.
    """
    found = [log_id for log_id, size in sizes.items() if live.get(log_id, 0) < max_share * size]
    return sorted(found, key=lambda log_id: (live.get(log_id, 0), log_id))[:LOGS_AT_ONCE]


@dataclass(slots=True)
class _Batch:
    """Rows that are moved by one commit, and the blocks that they point to."""

    rows: list[Row] = field(default_factory=list)
    blocks: dict[_Place, bytes] = field(default_factory=dict)


class Compactor:
    """Compacts the logs of one ledger directory."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        files: EntryLogFiles,
        writer: EntryLogWriter,
        readers: EntryLogReaders,
        worker: Worker,
        clock: Clock,
        counters: BookieCounters,
        suspects: Suspects,
    ) -> None:
        self._catalog = catalog
        self._files = files
        self._writer = writer
        self._readers = readers
        self._worker = worker
        self._clock = clock
        self._counters = counters
        self._suspects = suspects
        self._damaged: set[int] = set()

    async def compact(
        self,
        max_share: float,
        rate_bytes_per_s: int,
        goes_on: Callable[[], bool],
        collect: Callable[[], Awaitable[None]],
    ) -> int:
        """Move what lives in logs of which less than a share lives; returns how many are dead now.

        One with a damaged block is left alone until its entries are repaired, or the next start:
        they are not to be lost with it.

        Args:
            goes_on: asked before each copy; else the rest is left for another time.
            collect: removes dead logs. After each log, so that copies never take more room than
                one of them is going to free.

        Raises:
            OSError, IndexFailedError: the disk failed.
        """
        sizes = await self._worker.run(self._sizes)
        chosen = victims(sizes, self._catalog.bytes_in_log, max_share)
        if not chosen:
            return 0
        rows = await self._rows_of(chosen)
        for log_id in chosen:
            await self._move(rows.pop(log_id), rate_bytes_per_s, goes_on)
            await collect()
        return len(self._catalog.dead_logs(chosen))

    def release_damaged(self) -> None:
        """Try logs again that had damaged blocks: repairs may have replaced these."""
        self._damaged.clear()

    def _sizes(self) -> dict[int, int]:
        """Of all logs that are written to their end. Blocks."""
        ids = [each for each in self._files.log_ids() if each < self._writer.log_id]
        return {
            each: self._files.size(each) - LOG_HEADER_BYTES
            for each in ids
            if each not in self._damaged
        }

    async def _rows_of(self, log_ids: Sequence[int]) -> dict[int, list[Row]]:
        """By log, in the order of the index: by ledger and entry."""
        found: dict[int, list[Row]] = {log_id: [] for log_id in log_ids}
        slices = Slices(self._clock)
        key = b""
        while rows := self._catalog.index.scan(key, _SCAN_ROWS):
            for row in rows:
                if row.log_id in found:
                    found[row.log_id].append(row)
            key = row_key(rows[-1].ledger_id, rows[-1].first_entry)
            await slices.breathe()
        return found

    async def _move(
        self, rows: Sequence[Row], rate_bytes_per_s: int, goes_on: Callable[[], bool]
    ) -> None:
        start = 0
        while start < len(rows) and goes_on():
            end, size = start, 0
            while end < len(rows) and size < _BATCH_BYTES:
                size += rows[end].length
                end += 1
            async with self._catalog.lock:
                await self._move_some(rows[start:end])
            start = end
            await asyncio.sleep(size / rate_bytes_per_s)

    async def _move_some(self, rows: Sequence[Row]) -> None:
        """Copy the blocks of some rows and point the rows to the copies, in one commit."""
        floor = self._catalog.index.floor
        batch = _Batch([row for row in rows if floor(row.ledger_id, row.first_entry) == row])
        for row in batch.rows:
            place = (row.log_id, row.offset)
            if place not in batch.blocks and (data := await self._read(row)) is not None:
                batch.blocks[place] = data
        moved = await self._write(batch.blocks)
        old = [row for row in batch.rows if (row.log_id, row.offset) in moved]
        new = [
            row._replace(log_id=log_id, offset=offset)
            for row in old
            for log_id, offset in [moved[(row.log_id, row.offset)]]
        ]
        if old:
            await self._catalog.commit(IndexBatch(), new, old)

    async def _read(self, row: Row) -> bytes | None:
        """A block, if it is whole."""
        try:
            data = await self._readers.load(row.log_id, row.offset, row.length)
            if Block(data).ledger_id != row.ledger_id:
                raise EntryLogFormatError("the block is another ledger's")
        except (EntryLogFormatError, OSError) as error:
            self._counters.blocks_damaged += 1
            self._damaged.add(row.log_id)
            self._suspects.add(row.ledger_id)
            _log.error("entry log %d stays: block cannot be read: %s (%r)", row.log_id, error, row)
            return None
        return data

    async def _write(self, blocks: Mapping[_Place, bytes]) -> dict[_Place, _Place]:
        """Make copies durable; returns where they are."""
        moved: dict[_Place, _Place] = {}
        pieces: list[Piece] = []
        for place, data in blocks.items():
            log_id, offset = moved[place] = self._writer.place(len(data))
            if not pieces or pieces[-1].log_id != log_id:
                pieces.append(Piece(log_id, offset))
            pieces[-1].parts.append(data)
            self._counters.compacted_bytes += len(data)
        for piece in pieces:
            await self._worker.run(partial(self._writer.write, piece))
        return moved
