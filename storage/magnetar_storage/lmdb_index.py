"""The location index in LMDB.

Look-ups run on the loop: they are reads of mapped memory, one or two microseconds. A page that is
not in memory blocks the loop for one disk read; with one row per block (some 50 bytes for 128 KiB
of entries) the index of a full disk still fits in memory.
"""

import os
import threading
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from struct import Struct
from typing import Any, Final

import lmdb
from fastcrc.crc32 import iscsi as crc32c

from magnetar_storage.errors import DirectoryError, IndexDamagedError, IndexFailedError
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.ledger_records import LedgerRecord
from magnetar_storage.lmdb_check import check_lmdb
from magnetar_storage.location_index import (
    IndexBatch,
    IndexIdentity,
    Row,
    decode_row,
    row_key,
)

FORMAT: Final = b"3"
_UNSEALED_FORMATS: Final = (b"1", b"2")
_SEAL_BYTES: Final = 4
DATA_FILE: Final = "data.mdb"

_MARKS: Final = b"mark/"
_LEDGER = Struct(">Q")
_MARK = Struct(">QQQ")
_MAX_ENTRY = (1 << 64) - 1


class LmdbIndex:
    """`magnetar_storage.location_index.LocationIndex` over one LMDB environment."""

    def __init__(self, path: str, map_bytes: int) -> None:
        """Open or create. Blocks.

        Raises:
            DirectoryError: the index has a format that is not known here, or cannot be opened.
            IndexDamagedError: it is not what was written.
        """
        _check(os.path.join(path, DATA_FILE))
        try:
            self._env = lmdb.open(path, map_size=map_bytes, max_dbs=3, metasync=True, sync=True)
        except lmdb.InvalidError as error:
            raise IndexDamagedError(f"the location index {path} is no index: {error}") from error
        except lmdb.Error as error:
            raise DirectoryError(f"the location index {path} cannot be opened: {error}") from error
        self._rows = self._env.open_db(b"locations")
        self._records = self._env.open_db(b"ledgers")
        self._meta = self._env.open_db(b"meta")
        self._writer: int | None = None
        with self._env.begin() as transaction:
            found = transaction.get(b"format", db=self._meta)
        if found in _UNSEALED_FORMATS:
            self._seal_all()
        elif found not in (None, _seal(b"format", FORMAT)):
            self._env.close()
            raise DirectoryError(f"index format {found!r} is not known here")

    @property
    def identity(self) -> IndexIdentity | None:
        data = self._get_meta(b"bookie_id")
        if data is None:
            return None
        return IndexIdentity(data.decode(), self._number(b"directory"), self._directories())

    @property
    def marks(self) -> dict[int, JournalMark]:
        marks: dict[int, JournalMark] = {}
        with self._env.begin() as transaction, transaction.cursor(self._meta) as cursor:
            found = cursor.set_range(_MARKS)
            while found and cursor.key().startswith(_MARKS):
                marks[int(cursor.key()[len(_MARKS) :])] = JournalMark(
                    *_MARK.unpack_from(cursor.value())
                )
                found = cursor.next()
        return marks

    @property
    def damages(self) -> int:
        # The first format only knew whether there had been any.
        return self._number(b"damages") or self._number(b"uncertain")

    @property
    def unknown_checked(self) -> int:
        return self._number(b"unknown_checked")

    def records(self) -> list[LedgerRecord]:
        with self._env.begin() as transaction, transaction.cursor(self._records) as cursor:
            return [
                LedgerRecord.decode(_LEDGER.unpack(key)[0], data[:-_SEAL_BYTES])
                for key, data in cursor
            ]

    def scan(self, after: bytes, limit: int) -> list[Row]:
        rows: list[Row] = []
        with self._env.begin() as transaction, transaction.cursor(self._rows) as cursor:
            found = cursor.set_range(after)
            if found and cursor.key() == after:
                found = cursor.next()
            while found and len(rows) < limit:
                rows.append(_row(cursor))
                found = cursor.next()
        return rows

    def floor(self, ledger_id: int, entry_id: int) -> Row | None:
        with self._env.begin() as transaction, transaction.cursor(self._rows) as cursor:
            return _floor(cursor, ledger_id, entry_id)

    def between(self, ledger_id: int, first_entry: int, last_entry: int) -> list[Row]:
        rows: list[Row] = []
        with self._env.begin() as transaction, transaction.cursor(self._rows) as cursor:
            row = _floor(cursor, ledger_id, first_entry)
            if row is not None and row.last_entry >= first_entry:
                rows.append(row)
            found = cursor.set_range(row_key(ledger_id, first_entry + 1))
            while found:
                row = _row(cursor)
                if row.ledger_id != ledger_id or row.first_entry > last_entry:
                    break
                rows.append(row)
                found = cursor.next()
        return rows

    def following(self, row: Row, limit: int) -> list[Row]:
        rows = self.scan(row_key(row.ledger_id, row.first_entry), limit)
        return [other for other in rows if other.ledger_id == row.ledger_id]

    def commit(self, batch: IndexBatch) -> None:
        self._assert_writer()
        try:
            self._commit(batch)
        except lmdb.Error as error:
            raise IndexFailedError(f"the location index took no commit: {error}") from error

    def _commit(self, batch: IndexBatch) -> None:
        with self._env.begin(write=True) as transaction:
            for key in batch.row_deletes:
                transaction.delete(key, db=self._rows)
            with transaction.cursor(self._rows) as cursor:
                cursor.putmulti([(key, _seal(key, data)) for key, data in batch.row_puts])
            for ledger_id in batch.record_deletes:
                transaction.delete(_LEDGER.pack(ledger_id), db=self._records)
            for ledger_id, data in batch.record_puts:
                key = _LEDGER.pack(ledger_id)
                transaction.put(key, _seal(key, data), db=self._records)
            for key, data in _meta_rows(batch):
                transaction.put(key, _seal(key, data), db=self._meta)

    def _seal_all(self) -> None:
        """From a format whose values had no checksums, in one step."""
        with self._env.begin(write=True) as transaction:
            for database in (self._rows, self._records, self._meta):
                with transaction.cursor(database) as cursor:
                    rows = [(key, _seal(key, data)) for key, data in cursor]
                    cursor.putmulti(rows)
            transaction.put(b"format", _seal(b"format", FORMAT), db=self._meta)

    def close(self) -> None:
        self._assert_writer()
        self._env.close()

    def _assert_writer(self) -> None:
        """LMDB has one writer; ours is one thread, so that commits never wait for one another."""
        thread = threading.get_ident()
        assert self._writer in (None, thread), "the index is written by two threads"
        self._writer = thread

    def _directories(self) -> int:
        return self._number(b"directories") or 1

    def _number(self, key: bytes) -> int:
        return int(self._get_meta(key) or b"0")

    def _get_meta(self, key: bytes) -> bytes | None:
        with self._env.begin() as transaction:
            data = transaction.get(key, db=self._meta)
            return None if data is None else bytes(data[:-_SEAL_BYTES])


def _row(cursor: Any) -> Row:
    key, data = cursor.item()
    return decode_row(key, data[:-_SEAL_BYTES])


def _seal(key: bytes, data: bytes) -> bytes:
    """A value with its checksum, which the key is part of."""
    return data + crc32c(data, crc32c(key)).to_bytes(_SEAL_BYTES)


def _check(path: str) -> None:
    """Look at the file of an index before LMDB does, if there is one. Raises IndexDamagedError."""
    if not os.path.exists(path):
        return
    found: dict[str, bytes] = {}

    def visit(_database: bytes, key: bytes, value: bytes) -> None:
        if key == b"format":
            found["format"] = value
        elif "broken" not in found and value != _seal(key, value[:-_SEAL_BYTES]):
            found["broken"] = key

    size = os.path.getsize(path)
    if not size:
        return  # LMDB made it and wrote nothing
    with (
        open(path, "rb") as file,
        mmap(file.fileno(), size, access=ACCESS_READ) as mapped,
        memoryview(mapped) as data,
    ):
        check_lmdb(data, visit)
    if found.get("format") not in _UNSEALED_FORMATS and "broken" in found:
        raise IndexDamagedError(f"the location index is damaged: the row of {found['broken']!r}")


def _floor(cursor: Any, ledger_id: int, entry_id: int) -> Row | None:
    key = row_key(ledger_id, entry_id)
    if cursor.set_range(key):
        if cursor.key() == key:
            return _row(cursor)
        found = cursor.prev()
    else:
        found = cursor.last()
    if not found:
        return None
    row = _row(cursor)
    return row if row.ledger_id == ledger_id else None


def _meta_rows(batch: IndexBatch) -> Iterator[tuple[bytes, bytes]]:
    yield b"format", FORMAT
    for journal, mark in batch.marks.items():
        yield _MARKS + b"%d" % journal, _MARK.pack(*mark)
    if batch.damages is not None:
        yield b"damages", b"%d" % batch.damages
    if batch.unknown_checked is not None:
        yield b"unknown_checked", b"%d" % batch.unknown_checked
    if batch.identity is not None:
        yield b"bookie_id", batch.identity.bookie_id.encode()
        yield b"directory", b"%d" % batch.identity.directory
        yield b"directories", b"%d" % batch.identity.directories
