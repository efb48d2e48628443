"""The location index with its writer, and how much of each entry log it still points to."""

import asyncio
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from magnetar_runtime.disk import Worker
from magnetar_runtime.slices import Slices

from magnetar_storage.location_index import IndexBatch, LocationIndex, Row, row_key

_SCAN_ROWS: Final = 256
_STEP_ROWS: Final = 256


class Catalog:
    """One change at a time: who changes the index holds `lock` from its first look to its commit.

    Attributes:
        rows_in_log: how many rows point into each log. A log without any is dead: decided by the
            index alone, never by what a log says of itself.
        bytes_in_log: the lengths of the blocks that these rows point to, for each of them.
        damages: how often the journal was found damaged. Every commit says so, as one that moves
            a mark past damage hides it from the next start.
    """

    def __init__(self, index: LocationIndex, worker: Worker) -> None:
        self.index = index
        self.lock = asyncio.Lock()
        self.rows_in_log: dict[int, int] = {}
        self.bytes_in_log: dict[int, int] = {}
        self.damages = index.damages
        self._worker = worker

    async def count_rows(self, slices: Slices, known: Container[int]) -> set[int]:
        """Count anew, from the index; returns ledgers with rows that are not among the known."""
        self.rows_in_log.clear()
        self.bytes_in_log.clear()
        unknown: set[int] = set()
        key = b""
        while rows := self.index.scan(key, _SCAN_ROWS):
            self._count(rows, 1)
            unknown.update(row.ledger_id for row in rows if row.ledger_id not in known)
            key = row_key(rows[-1].ledger_id, rows[-1].first_entry)
            await slices.breathe()
        return unknown

    async def commit(
        self,
        batch: IndexBatch,
        added: Sequence[Row] = (),
        removed: Sequence[Row] = (),
        slices: Slices | None = None,
    ) -> None:
        """Make a batch durable, with these rows put and deleted in it.

        Args:
            slices: of the caller, whose rows may be many.

        Raises:
            IndexFailedError: nothing of it is there.
        """
        assert self.lock.locked()
        for some in _steps(removed):
            batch.row_deletes += [row_key(row.ledger_id, row.first_entry) for row in some]
            await _breathe(slices)
        # Rather too many than too few: a log without any is deleted.
        for some in _steps(added):
            batch.row_puts += [row.encode() for row in some]
            self._count(some, 1)
            await _breathe(slices)
        if self.damages:
            batch.damages = self.damages
        await self._worker.run(partial(self.index.commit, batch))
        for some in _steps(removed):
            self._count(some, -1)
            await _breathe(slices)

    def dead_logs(self, log_ids: Iterable[int]) -> list[int]:
        """Which of these logs nothing points to."""
        return [log_id for log_id in log_ids if not self.rows_in_log.get(log_id)]

    def _count(self, rows: Iterable[Row], step: int) -> None:
        counts, sizes = self.rows_in_log, self.bytes_in_log
        for row in rows:
            log_id = row.log_id
            counts[log_id] = counts.get(log_id, 0) + step
            sizes[log_id] = sizes.get(log_id, 0) + step * row.length


def _steps(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    return (rows[start : start + _STEP_ROWS] for start in range(0, len(rows), _STEP_ROWS))


async def _breathe(slices: Slices | None) -> None:
    if slices is not None:
        await slices.breathe()
