"""What a flush makes of entries: blocks for the entry log, rows for the index. Pure."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice

from magnetar_storage.entry_log_format import MAX_BLOCK_ENTRIES, cut_blocks, entry_lengths
from magnetar_storage.location_index import Row, overlay
from magnetar_storage.write_cache import LedgerEntries


def blocks_of(
    entries: LedgerEntries, ids: Iterator[int]
) -> Iterator[tuple[list[int], list[int], list[bytes]]]:
    """Ids, entry lengths and parts of each block of a ledger, in order.

    Args:
        ids: of all its entries, ascending.
    """
    waiting: list[int] = []
    while some := waiting + list(islice(ids, MAX_BLOCK_ENTRIES - len(waiting))):
        parts = [b""] * (2 * len(some))
        parts[::2] = map(entries.headers.__getitem__, some)
        parts[1::2] = map(entries.payloads.__getitem__, some)
        lengths = entry_lengths(parts)
        ends = cut_blocks(some, lengths)
        if len(ends) > 1 and len(some) == MAX_BLOCK_ENTRIES:
            # The rest would be a short block: it goes with what follows.
            ends.pop()
        begin = 0
        for end in ends:
            yield some[begin:end], lengths[begin:end], parts[2 * begin : 2 * end]
            begin = end
        waiting = some[begin:]


class RowChanges:
    """The rows of one ledger in one flush: what goes, what comes."""

    def __init__(self, older: list[Row]) -> None:
        """Args: all rows that overlap what will be added, ascending."""
        self._older = older
        self._rows = list(older)

    def add(self, newer: Row, entry_ids: list[int]) -> None:
        """A new block; its ids are higher than those of the blocks added before."""
        rows = self._rows
        begin = bisect_left(rows, newer.first_entry, key=_last_entry)
        end = begin
        while end < len(rows) and rows[end].first_entry <= newer.last_entry:
            end += 1
        replaced = rows[begin:end]
        rows[begin:end] = overlay(replaced, newer, entry_ids) if replaced else [newer]

    def result(self) -> tuple[list[Row], list[Row]]:
        """Rows to put and rows to delete."""
        if not self._older:
            return self._rows, []
        before, after = set(self._older), set(self._rows)
        added = [row for row in self._rows if row not in before]
        return added, [row for row in self._older if row not in after]


def _last_entry(row: Row) -> int:
    return row.last_entry
