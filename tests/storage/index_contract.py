"""What every location index promises. A test module derives from `IndexContract`.

`reopen` is a fixture of the deriving class: it closes the index of the test, if there is one, and
opens it again.
"""

from collections.abc import Callable

import pytest
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.ledger_records import LedgerRecord
from magnetar_storage.location_index import (
    IndexBatch,
    IndexIdentity,
    LocationIndex,
    Row,
    row_key,
)

Reopen = Callable[[], LocationIndex]

ROWS = [
    Row(1, 0, 9, 1, 0, 5),
    Row(1, 10, 19, 1, 5, 5),
    Row(1, 30, 39, 2, 0, 5),
    Row(3, 5, 5, 2, 5, 5),
]
LAST = 1 << 62


class IndexContract:
    @pytest.fixture
    def index(self, reopen: Reopen) -> LocationIndex:
        index = reopen()
        index.commit(IndexBatch(row_puts=[row.encode() for row in ROWS]))
        return index

    def test_floor(self, index: LocationIndex) -> None:
        assert index.floor(1, 0) == ROWS[0]
        assert index.floor(1, 15) == ROWS[1]
        assert index.floor(1, 25) == ROWS[1]
        assert index.floor(1, 1000) == ROWS[2]
        assert index.floor(2, 1000) is None
        assert index.floor(3, 4) is None
        assert index.floor(3, LAST) == ROWS[3]
        assert index.floor(0, 0) is None

    def test_between(self, index: LocationIndex) -> None:
        assert index.between(1, 5, 10) == ROWS[:2]
        assert index.between(1, 10, 10) == ROWS[1:2]
        assert index.between(1, 20, 29) == []
        assert index.between(1, 20, 30) == ROWS[2:3]
        assert index.between(1, 0, LAST) == ROWS[:3]
        assert index.between(2, 0, LAST) == []

    def test_following_and_scan(self, index: LocationIndex) -> None:
        assert index.following(ROWS[0], 5) == ROWS[1:3]
        assert index.following(ROWS[0], 1) == ROWS[1:2]
        assert index.scan(b"", 3) == ROWS[:3]
        assert index.scan(row_key(1, 30), 3) == ROWS[3:]

    def test_a_commit_puts_deletes_and_outlives_the_close(self, reopen: Reopen) -> None:
        index = reopen()
        assert (index.identity, index.marks, index.damages) == (None, {}, 0)
        record = LedgerRecord(1, b"k" * 20)
        record.fenced = True
        record.indexed_last = 39
        mark = JournalMark(3, 4096, 17)
        index.commit(
            IndexBatch(
                row_puts=[row.encode() for row in ROWS],
                record_puts=[(1, record.encode()), (2, LedgerRecord(2, b"").encode())],
                marks={0: mark, 12: JournalMark(1, 2, 3)},
                damages=2,
                unknown_checked=1,
                identity=IndexIdentity("b", 1, 3),
            )
        )
        index.commit(IndexBatch(row_deletes=[row_key(1, 10)], record_deletes=[2]))
        index = reopen()
        assert index.identity == IndexIdentity("b", 1, 3)
        assert index.marks == {0: mark, 12: JournalMark(1, 2, 3)}
        assert (index.damages, index.unknown_checked) == (2, 1)
        assert index.scan(b"", 10) == [ROWS[0], *ROWS[2:]]
        (found,) = index.records()
        assert (found.ledger_id, found.master_key, found.fenced) == (1, b"k" * 20, True)
        assert found.last_entry == 39

    def test_rows_are_deleted_before_others_are_put(self, index: LocationIndex) -> None:
        other = ROWS[0]._replace(log_id=9)
        deletes = [row_key(1, 0), row_key(1, 10), row_key(7, 7)]
        index.commit(IndexBatch(row_deletes=deletes, row_puts=[other.encode()]))
        assert index.scan(b"", 10) == [other, *ROWS[2:]]
