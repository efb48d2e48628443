"""Which entries of a ledger are here: those in the write cache and those in blocks.

A row of the index says where to look, not which ids of its range are there, so each block is read
and checked. What cannot be read ends the listing: an entry is neither said to be here nor away in
hope.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from heapq import merge

from magnetar_runtime.slices import Slices

from magnetar_storage.entry_log import EntryLogReaders
from magnetar_storage.entry_log_format import Block
from magnetar_storage.errors import EntryLogFormatError
from magnetar_storage.location_index import LocationIndex, Row, row_key
from magnetar_storage.sliced import sorted_in_slices
from magnetar_storage.write_cache import WriteCache

Feed = Callable[[Iterable[int]], None]
"""Takes ids, ascending over all calls; one may come twice in a row."""

_STEP_IDS = 1024


class EntryListing:
    """Lists ledgers of one engine."""

    def __init__(
        self,
        cache: WriteCache,
        index: LocationIndex,
        readers: EntryLogReaders,
    ) -> None:
        self._cache = cache
        self._index = index
        self._readers = readers

    async def list_ids(self, ledger_id: int, feed: Feed, slices: Slices) -> None:
        """Feed the ids of all entries that are here since before the call.

        Raises:
            EntryLogFormatError, OSError: a block cannot be read.
        """
        # The cache first: what is flushed meanwhile is found in the index then.
        cached = await self._cached(ledger_id, slices)
        position = 0
        floor = self._index.floor(ledger_id, 0)
        row = floor or self._row_behind(ledger_id, 0)
        while row is not None:
            ids = await self._ids_of(row)
            end = bisect_right(cached, row.last_entry)
            feed(merge(cached[position:end], ids))
            position = end
            await slices.breathe()
            row = self._row_behind(ledger_id, row.last_entry)
        for start in range(position, len(cached), _STEP_IDS):
            feed(cached[start : start + _STEP_IDS])
            await slices.breathe()

    async def _cached(self, ledger_id: int, slices: Slices) -> Sequence[int]:
        """In both halves, ascending."""
        found: set[int] = set()
        for half in (self._cache.active, self._cache.flushing):
            entries = half.ledgers.get(ledger_id)
            if entries is not None:
                found.update(entries.headers)
        return list(await sorted_in_slices(found, slices)) if found else ()

    def _row_behind(self, ledger_id: int, entry_id: int) -> Row | None:
        rows = self._index.scan(row_key(ledger_id, entry_id), 1)
        return rows[0] if rows and rows[0].ledger_id == ledger_id else None

    async def _ids_of(self, row: Row) -> list[int]:
        """The ids for which this row's block is to be asked, and which it has."""
        block = Block(await self._readers.load(row.log_id, row.offset, row.length))
        if block.ledger_id != row.ledger_id:
            raise EntryLogFormatError("the block is another ledger's")
        return [each for each in block.entry_ids() if row.first_entry <= each <= row.last_entry]
