"""A location index made anew from the entry logs, when the one that is there is damaged.

Blocks say themselves whose they are, so all rows come back, the newest for each id. Lost are the
ledgers' keys and fences, the marks of the journals, and that ledgers were deleted. So all journals
that are there are replayed again; every ledger counts as fenced, for an old writer must not go on
where a fence was forgotten; and as after damage to a journal nothing is called absent before
replicas were asked. Ledgers that metadata has deleted are collected again.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from magnetar_runtime.disk import Disk, File

from magnetar_storage.directories import (
    JOURNAL,
    LEDGERS,
    Label,
    entry_log_directory,
    index_directory,
    read_label,
)
from magnetar_storage.entry_log import EntryLogFiles
from magnetar_storage.entry_log_format import (
    BLOCK_HEADER_BYTES,
    BLOCK_MAGIC,
    LOG_HEADER_BYTES,
    Block,
    block_bytes,
)
from magnetar_storage.errors import DirectoryError, EntryLogFormatError
from magnetar_storage.journal_format import FIRST_MARK
from magnetar_storage.ledger_records import LedgerRecord
from magnetar_storage.location_index import (
    IndexBatch,
    IndexIdentity,
    LocationIndex,
    Row,
    overlay,
    row_key,
)

_log = logging.getLogger(__name__)
_BATCH_ROWS: Final = 1000
_SEARCH_BYTES: Final = 1 << 20


def rebuild_index(
    disk: Disk,
    path: str,
    directories: int,
    journals: Sequence[str],
    make: Callable[[str], LocationIndex],
) -> None:
    """Make another index beside a damaged one, then put it in its place. Blocks, for as long as it
    takes to read all logs.

    Args:
        path: of the ledger directory.
        directories: how many the bookie has.
        journals: paths of all journals.
        make: opens an index in a directory.

    Raises:
        DirectoryError: nobody knows whose directory it is.
        OSError, StorageError: the disk failed.
    """
    label = read_label(disk, path)
    if label is None or LEDGERS not in label.numbers:
        raise DirectoryError(f"the location index in {path} is damaged, and nothing says whose")
    _clear(disk, _new_directory(path))
    index = make(_new_directory(path))
    try:
        rebuild = _Rebuild(index)
        _take_logs(EntryLogFiles(disk, entry_log_directory(path)), rebuild)
        rebuild.finish(_last_batch(disk, label, directories, journals))
    finally:
        index.close()
    disk.sync_directory(_new_directory(path))
    disk.rename(index_directory(path), f"{path}/{_aside(disk.names(path))}")
    finish_rebuild(disk, path)
    _log.critical(
        "%s: the location index was damaged and is made anew from %d blocks of %d ledgers; these"
        " are fenced, and what is not found is not called absent",
        path, rebuild.blocks, len(rebuild.last_entries),
    )  # fmt: skip


def finish_rebuild(disk: Disk, path: str) -> None:
    """Put a new index in its place, if the damaged one is out of the way. Blocks."""
    new, index = _new_directory(path), index_directory(path)
    if disk.exists(new) and not (disk.exists(index) and disk.names(index)):
        disk.rename(new, index)
        disk.sync_directory(path)


def _new_directory(path: str) -> str:
    return f"{index_directory(path)}.new"


def _clear(disk: Disk, directory: str) -> None:
    """An empty directory, whatever an earlier attempt has left there."""
    disk.make_directories(directory)
    for name in disk.names(directory):
        disk.unlink(f"{directory}/{name}")


def _aside(names: Sequence[str]) -> str:
    """A name for a damaged index that is kept."""
    return next(
        name
        for number in range(1, len(names) + 2)
        if (name := f"index.damaged-{number}") not in names
    )


def _take_logs(logs: EntryLogFiles, rebuild: "_Rebuild") -> None:
    for log_id in logs.log_ids():
        file = logs.disk.open(logs.path(log_id))
        try:
            for offset, block in _blocks(file):
                rebuild.take(log_id, offset, block)
        finally:
            file.close()


def _last_batch(disk: Disk, label: Label, directories: int, journals: Sequence[str]) -> IndexBatch:
    labels = [read_label(disk, journal) for journal in journals]
    numbers = [each.numbers[JOURNAL] for each in labels if each and JOURNAL in each.numbers]
    return IndexBatch(
        identity=IndexIdentity(label.bookie_id, label.numbers[LEDGERS], directories),
        marks=dict.fromkeys(numbers, FIRST_MARK),
        damages=1,
        unknown_checked=0,
    )


def _blocks(file: File) -> Iterator[tuple[int, Block]]:
    """All whole blocks of a log with their places; what is between them is passed over."""
    size, offset = file.size(), LOG_HEADER_BYTES
    while offset < size:
        length = block_bytes(file.read_at(offset, BLOCK_HEADER_BYTES))
        try:
            block = Block(file.read_at(offset, length))
        except EntryLogFormatError:
            offset = _next_magic(file, offset + 1, size)
            continue
        yield offset, block
        offset += length


def _next_magic(file: File, offset: int, size: int) -> int:
    """Where a block may begin next; the end of the file if nowhere."""
    while offset < size:
        at = file.read_at(offset, _SEARCH_BYTES).find(BLOCK_MAGIC)
        if at >= 0:
            return offset + at
        offset += _SEARCH_BYTES - len(BLOCK_MAGIC) + 1
    return size


class _Rebuild:
    """Takes blocks in the order in which they were written.

    Attributes:
        last_entries: highest id of each ledger.
    """

    def __init__(self, index: LocationIndex) -> None:
        self._index = index
        self._batch = IndexBatch()
        self.last_entries: dict[int, int] = {}
        self.blocks = 0

    def take(self, log_id: int, offset: int, block: Block) -> None:
        """Of several blocks with an id the last one counts."""
        self.blocks += 1
        ids = block.entry_ids()
        row = Row(block.ledger_id, ids[0], ids[-1], log_id, offset, block.size)
        rows = [row]
        last = self.last_entries.get(row.ledger_id, -1)
        if row.first_entry <= last:
            self._commit()
            older = self._index.between(row.ledger_id, row.first_entry, row.last_entry)
            rows = overlay(older, row, ids)
            self._batch.row_deletes = [row_key(o.ledger_id, o.first_entry) for o in older]
        self.last_entries[row.ledger_id] = max(last, row.last_entry)
        self._batch.row_puts += [each.encode() for each in rows]
        if len(self._batch.row_puts) >= _BATCH_ROWS or self._batch.row_deletes:
            self._commit()

    def finish(self, batch: IndexBatch) -> None:
        """The index is complete with this."""
        self._commit()
        for ledger_id, last_entry in self.last_entries.items():
            record = LedgerRecord(ledger_id, b"")
            record.fenced = True
            record.indexed_last = last_entry
            batch.record_puts.append((ledger_id, record.encode()))
        self._index.commit(batch)

    def _commit(self) -> None:
        if self._batch.row_puts:
            self._index.commit(self._batch)
            self._batch = IndexBatch()
