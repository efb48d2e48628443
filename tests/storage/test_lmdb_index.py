"""The index in LMDB: look-ups between rows, one commit, one writer."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from magnetar_storage.errors import DirectoryError, IndexFailedError
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.ledger_records import LedgerRecord
from magnetar_storage.lmdb_index import LmdbIndex
from magnetar_storage.location_index import IndexBatch, Row, row_key

MAP_BYTES = 1 << 20
ROWS = [
    Row(1, 0, 9, 1, 0, 5),
    Row(1, 10, 19, 1, 5, 5),
    Row(1, 30, 39, 2, 0, 5),
    Row(3, 5, 5, 2, 5, 5),
]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LmdbIndex]:
    index = LmdbIndex(str(tmp_path), MAP_BYTES)
    index.commit(IndexBatch(row_puts=[row.encode() for row in ROWS]))
    yield index
    index.close()


def test_floor(index: LmdbIndex) -> None:
    assert index.floor(1, 0) == ROWS[0]
    assert index.floor(1, 15) == ROWS[1]
    assert index.floor(1, 25) == ROWS[1]
    assert index.floor(1, 1000) == ROWS[2]
    assert index.floor(2, 1000) is None
    assert index.floor(3, 4) is None
    assert index.floor(3, 1 << 62) == ROWS[3]
    assert index.floor(0, 0) is None


def test_between(index: LmdbIndex) -> None:
    assert index.between(1, 5, 10) == ROWS[:2]
    assert index.between(1, 20, 29) == []
    assert index.between(1, 0, 1 << 62) == ROWS[:3]
    assert index.between(2, 0, 1 << 62) == []


def test_following_and_scan(index: LmdbIndex) -> None:
    assert index.following(ROWS[0], 5) == ROWS[1:3]
    assert index.following(ROWS[0], 1) == ROWS[1:2]
    assert index.scan(b"", 3) == ROWS[:3]
    assert index.scan(row_key(1, 30), 3) == ROWS[3:]


def test_a_commit_puts_deletes_and_outlives_the_environment(tmp_path: Path) -> None:
    index = LmdbIndex(str(tmp_path), MAP_BYTES)
    assert (index.bookie_id, index.mark, index.uncertain) == (None, None, False)
    record = LedgerRecord(1, b"k" * 20)
    record.fenced = True
    record.indexed_last = 39
    mark = JournalMark(3, 4096, 17)
    index.commit(
        IndexBatch(
            row_puts=[row.encode() for row in ROWS],
            record_puts=[(1, record.encode()), (2, LedgerRecord(2, b"").encode())],
            mark=mark,
            uncertain=True,
            bookie_id="b",
        )
    )
    index.commit(IndexBatch(row_deletes=[row_key(1, 10)], record_deletes=[2]))
    index.close()
    index = LmdbIndex(str(tmp_path), MAP_BYTES)
    assert (index.bookie_id, index.mark, index.uncertain) == ("b", mark, True)
    assert index.scan(b"", 10) == [ROWS[0], *ROWS[2:]]
    (found,) = index.records()
    assert (found.ledger_id, found.master_key, found.fenced) == (1, b"k" * 20, True)
    assert found.last_entry == 39
    index.close()


def test_a_commit_that_does_not_fit_changes_nothing(index: LmdbIndex) -> None:
    rows = [Row(9, first, first, 1, 0, 1).encode() for first in range(50_000)]
    with pytest.raises(IndexFailedError):
        index.commit(IndexBatch(row_puts=rows, mark=JournalMark(1, 1, 1)))
    assert index.mark is None
    assert index.floor(9, 10) is None


def test_one_thread_writes(index: LmdbIndex) -> None:
    errors: list[BaseException] = []

    def write() -> None:
        try:
            index.commit(IndexBatch())
        except AssertionError as error:
            errors.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert errors


def test_a_file_that_is_no_index_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"not an index" * 1000)
    with pytest.raises(DirectoryError):
        LmdbIndex(str(tmp_path), MAP_BYTES)
