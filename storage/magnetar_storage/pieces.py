"""Blocks on their way into an entry log: collected, and written a megabyte at a time.

A few pieces are with the worker at once: on a busy loop it takes longer to hear of the end of
one and to make the next than to write it, and the disk would stand still meanwhile.
"""

import asyncio
from functools import partial
from typing import Final

from magnetar_runtime.disk import Worker

from magnetar_storage.counters import BookieCounters
from magnetar_storage.entry_log import EntryLogWriter, Piece
from magnetar_storage.location_index import Row

PIECE_BYTES: Final = 1 << 20
"""Written and synced at once. The journal's syncs wait behind it: the longest was 9 to 14 ms with
1 MiB, 27 to 56 ms with 4 MiB (1 KB entries, window 100, a flush under way)."""
_PIECES_IN_FLIGHT: Final = 3


class Pieces:
    """The blocks of one flush."""

    def __init__(self, writer: EntryLogWriter, worker: Worker, counters: BookieCounters) -> None:
        self._writer = writer
        self._worker = worker
        self._counters = counters
        self._waiting: list[Piece] = []
        self._size = 0
        self._in_flight = 0
        self._error: BaseException | None = None
        self._landed = asyncio.Event()

    @property
    def full(self) -> bool:
        """There is enough for a piece."""
        return self._size >= PIECE_BYTES

    def add(self, ledger_id: int, ids: list[int], parts: list[bytes]) -> Row:
        """Give a block its place; returns the row that points to it."""
        length = sum(map(len, parts))
        log_id, offset = self._writer.place(length)
        if not self._waiting or self._waiting[-1].log_id != log_id:
            self._waiting.append(Piece(log_id, offset))
        self._waiting[-1].parts += parts
        self._size += length
        self._counters.entry_log_bytes += length
        return Row(ledger_id, ids[0], ids[-1], log_id, offset, length)

    async def write(self) -> None:
        """Begin to make durable what was added.

        Raises:
            OSError: the disk failed, now or for an earlier piece.
        """
        waiting, self._waiting, self._size = self._waiting, [], 0
        for piece in waiting:
            await self._until_at_most(_PIECES_IN_FLIGHT - 1)
            self._in_flight += 1
            self._worker.submit(partial(self._writer.write, piece), self._written)

    async def finish(self) -> None:
        """All that was added is durable; raises what went wrong with any of it."""
        await self.write()
        await self._until_at_most(0)

    async def _until_at_most(self, count: int) -> None:
        while self._in_flight > count and self._error is None:
            self._landed.clear()
            await self._landed.wait()
        if self._error is not None:
            raise self._error

    def _written(self, _result: object, error: BaseException | None) -> None:
        self._in_flight -= 1
        self._error = self._error or error
        self._landed.set()
