"""The index in LMDB: look-ups between rows, one commit, one writer."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import lmdb
import pytest
from magnetar_storage.errors import IndexDamagedError, IndexFailedError
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.lmdb_index import LmdbIndex
from magnetar_storage.location_index import IndexBatch, IndexIdentity, Row

from tests.storage.index_contract import IndexContract

MAP_BYTES = 1 << 20


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Callable[[], LmdbIndex]]:
    opened: list[LmdbIndex] = []

    def reopen() -> LmdbIndex:
        while opened:
            opened.pop().close()
        opened.append(LmdbIndex(str(tmp_path / "index"), MAP_BYTES))
        return opened[0]

    yield reopen
    while opened:
        opened.pop().close()


@pytest.fixture
def index(reopen: Callable[[], LmdbIndex]) -> LmdbIndex:
    index = reopen()
    index.commit(IndexBatch())
    return index


class TestLmdbIndex(IndexContract):
    pass


def test_a_commit_that_does_not_fit_changes_nothing(index: LmdbIndex) -> None:
    rows = [Row(9, first, first, 1, 0, 1).encode() for first in range(50_000)]
    with pytest.raises(IndexFailedError):
        index.commit(IndexBatch(row_puts=rows, marks={0: JournalMark(1, 1, 1)}))
    assert index.marks == {}
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
    with pytest.raises(IndexDamagedError):
        LmdbIndex(str(tmp_path), MAP_BYTES)


def test_a_first_format_that_knew_of_damage(tmp_path: Path) -> None:
    environment = lmdb.open(str(tmp_path), map_size=MAP_BYTES, max_dbs=3)
    meta = environment.open_db(b"meta")
    with environment.begin(write=True) as transaction:
        for key, value in ((b"format", b"1"), (b"bookie_id", b"b"), (b"uncertain", b"1")):
            transaction.put(key, value, db=meta)
    environment.close()
    index = LmdbIndex(str(tmp_path), MAP_BYTES)
    assert (index.damages, index.unknown_checked) == (1, 0)
    assert index.identity == IndexIdentity("b", 0, 1)
    index.close()
