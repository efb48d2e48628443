"""A file of LMDB with a bit turned over, or cut, is found out; or nothing has changed."""

import random
from pathlib import Path
from typing import Any

import pytest
from magnetar_storage.errors import IndexDamagedError
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.lmdb_check import check_lmdb
from magnetar_storage.lmdb_index import DATA_FILE, LmdbIndex
from magnetar_storage.location_index import IndexBatch, IndexIdentity, Row, row_key

PAGE = 4096
MAP_BYTES = 1 << 24


def written(directory: Path, commits: int = 12) -> Path:
    """An index with branches, long values, free pages."""
    rng = random.Random(1)
    index = LmdbIndex(str(directory), MAP_BYTES)
    for number in range(commits):
        rows = [Row(each % 7, rng.randrange(1 << 20), 1 << 20, 1, each, 9) for each in range(60)]
        index.commit(
            IndexBatch(
                row_puts=[row.encode() for row in rows],
                row_deletes=[row_key(row.ledger_id, row.first_entry) for row in index.scan(b"", 9)],
                record_puts=[(number, bytes(rng.randrange(60))), (number % 3, bytes(5000))],
                marks={0: JournalMark(number, 1, 2)},
                identity=IndexIdentity("bookie", 0, 1),
            )
        )
    index.close()
    return directory / DATA_FILE


def content(data: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """All rows that a whole file has; raises IndexDamagedError."""
    found: list[tuple[bytes, bytes, bytes]] = []
    check_lmdb(memoryview(data), lambda *row: found.append(row))
    return found


def opened(path: Path) -> Any:
    index = LmdbIndex(str(path.parent), MAP_BYTES)
    records = index._env.begin()
    try:
        with records.cursor(index._records) as cursor:
            return index.scan(b"", 1 << 20), list(cursor), index.marks, index.identity
    finally:
        records.abort()
        index.close()


def test_what_lmdb_writes_is_whole(tmp_path: Path) -> None:
    for commits in (0, 1, 2, 12):
        path = written(tmp_path / str(commits), commits)
        names = {name for name, _, _ in content(path.read_bytes())}
        assert names == ({b"ledgers", b"locations", b"meta"} if commits else set())


def test_every_commit_leaves_a_whole_file(tmp_path: Path) -> None:
    rng = random.Random(2)
    index = LmdbIndex(str(tmp_path), MAP_BYTES)
    for _ in range(30):
        known = index.scan(b"", 1 << 20)
        gone = rng.sample(known, len(known) * rng.randrange(3) // 3)
        rows = [Row(rng.randrange(9), rng.randrange(1 << 20), 9, 1, 2, 3) for _ in range(40)]
        index.commit(
            IndexBatch(
                row_puts=[row.encode() for row in rows],
                row_deletes=[row_key(row.ledger_id, row.first_entry) for row in gone],
            )
        )
        data = (tmp_path / DATA_FILE).read_bytes()
        count = sum(name == b"locations" for name, _, _ in content(data))
        assert count == len(index.scan(b"", 1 << 20))
    index.close()


def test_a_bit_that_is_turned_over_is_found_or_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path)
    before = opened(path)
    data = path.read_bytes()
    rng, found, places = random.Random(3), 0, 60
    for _ in range(places):
        offset = rng.randrange(len(data))
        spoilt = bytearray(data)
        spoilt[offset] ^= 1 << rng.randrange(8)
        path.write_bytes(spoilt)
        try:
            assert opened(path) == before, f"{offset} was not found"
        except IndexDamagedError:
            found += 1
    assert found > places // 10  # the others are free pages and room on pages


@pytest.mark.parametrize("page", [0, 1])
def test_every_byte_of_a_meta_page_that_counts(tmp_path: Path, page: int) -> None:
    path = written(tmp_path)
    before = opened(path)
    data = path.read_bytes()
    for offset in range(page * PAGE, page * PAGE + 152):
        spoilt = bytearray(data)
        spoilt[offset] ^= 0x40
        path.write_bytes(spoilt)
        try:
            assert opened(path) == before, f"{offset} was not found"
        except IndexDamagedError:
            continue


@pytest.mark.parametrize("left", [1, 100, PAGE, PAGE + 1, 2 * PAGE, 5 * PAGE])
def test_a_file_that_is_cut(tmp_path: Path, left: int) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(IndexDamagedError):
        opened(path)


def test_pages_that_changed_places(tmp_path: Path) -> None:
    path = written(tmp_path)
    before = opened(path)
    data = path.read_bytes()
    pages = [data[at : at + PAGE] for at in range(0, len(data), PAGE)]
    for first in range(2, len(pages) - 1):
        other = list(pages)
        other[first], other[first + 1] = other[first + 1], other[first]
        path.write_bytes(b"".join(other))
        try:
            assert opened(path) == before
        except IndexDamagedError:
            continue
