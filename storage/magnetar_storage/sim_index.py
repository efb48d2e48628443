"""The location index on a simulated disk: a commit is one crash boundary."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Final

from magnetar_runtime.disk import DiskError
from magnetar_runtime.sim.disk import SimDisk

from magnetar_storage.errors import IndexFailedError
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.ledger_records import LedgerRecord
from magnetar_storage.location_index import (
    IndexBatch,
    IndexIdentity,
    Row,
    decode_row,
    row_key,
)

DATA_FILE: Final = "data.mdb"
"""What LMDB calls it in its directory."""


@dataclass(frozen=True, slots=True)
class IndexImage:
    """What one commit left; never changed afterwards."""

    rows: dict[bytes, bytes] = field(default_factory=dict)
    records: dict[int, bytes] = field(default_factory=dict)
    marks: dict[int, JournalMark] = field(default_factory=dict)
    damages: int = 0
    unknown_checked: int = 0
    identity: IndexIdentity | None = None

    def after(self, batch: IndexBatch) -> "IndexImage":
        """The image that a commit makes of this one."""
        rows = self.rows.copy()
        for key in batch.row_deletes:
            rows.pop(key, None)
        rows.update(batch.row_puts)
        records = self.records.copy()
        for ledger_id in batch.record_deletes:
            records.pop(ledger_id, None)
        records.update(batch.record_puts)
        return IndexImage(
            rows,
            records,
            {**self.marks, **batch.marks},
            self.damages if batch.damages is None else batch.damages,
            self.unknown_checked if batch.unknown_checked is None else batch.unknown_checked,
            batch.identity or self.identity,
        )


class SimIndex:
    """`magnetar_storage.location_index.LocationIndex` for simulations."""

    def __init__(self, disk: SimDisk, directory: str) -> None:
        """Open the index in a directory, or begin one; as LMDB does, without a sync of its name."""
        self._disk = disk
        self._path = f"{directory}/{DATA_FILE}"
        if not disk.exists(self._path):
            disk.create(self._path).close()
        self._use(disk.image(self._path) or IndexImage())

    @property
    def identity(self) -> IndexIdentity | None:
        return self._image.identity

    @property
    def marks(self) -> dict[int, JournalMark]:
        return self._image.marks.copy()

    @property
    def damages(self) -> int:
        return self._image.damages

    @property
    def unknown_checked(self) -> int:
        return self._image.unknown_checked

    def records(self) -> list[LedgerRecord]:
        return [LedgerRecord.decode(*item) for item in sorted(self._image.records.items())]

    def scan(self, after: bytes, limit: int) -> list[Row]:
        start = bisect_right(self._keys, after)
        return [self._row(key) for key in self._keys[start : start + limit]]

    def floor(self, ledger_id: int, entry_id: int) -> Row | None:
        at = bisect_right(self._keys, row_key(ledger_id, entry_id)) - 1
        row = self._row(self._keys[at]) if at >= 0 else None
        return row if row is not None and row.ledger_id == ledger_id else None

    def between(self, ledger_id: int, first_entry: int, last_entry: int) -> list[Row]:
        row = self.floor(ledger_id, first_entry)
        rows = [row] if row is not None and row.last_entry >= first_entry else []
        start = bisect_left(self._keys, row_key(ledger_id, first_entry + 1))
        end = bisect_right(self._keys, row_key(ledger_id, last_entry))
        return rows + [self._row(key) for key in self._keys[start:end]]

    def following(self, row: Row, limit: int) -> list[Row]:
        rows = self.scan(row_key(row.ledger_id, row.first_entry), limit)
        return [other for other in rows if other.ledger_id == row.ledger_id]

    def commit(self, batch: IndexBatch) -> None:
        image = self._image.after(batch)
        try:
            self._disk.commit(self._path, image)
        except DiskError as error:
            raise IndexFailedError(f"the location index took no commit: {error}") from error
        self._use(image)

    def close(self) -> None:
        """Nothing is held."""

    def _use(self, image: IndexImage) -> None:
        self._image = image
        self._keys = sorted(image.rows)

    def _row(self, key: bytes) -> Row:
        return decode_row(key, self._image.rows[key])
