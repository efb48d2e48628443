"""Rows: the newest block wins, and no id is hidden."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from magnetar_storage.blocks import RowChanges
from magnetar_storage.location_index import Row, decode_row, overlay, row_key, runs


def row(first: int, last: int, block: int) -> Row:
    return Row(1, first, last, block, 0, 100)


def test_rows_come_back_and_sort_by_ledger_and_entry() -> None:
    some = [Row(1, 300, 310, 9, 1 << 40, 77), Row(1, 2, 3, 1, 2, 3), Row(256, 0, 0, 1, 2, 3)]
    encoded = sorted(r.encode() for r in some)
    assert [decode_row(*pair) for pair in encoded] == sorted(some)
    assert encoded[0][0] == row_key(1, 2)


def test_runs() -> None:
    assert list(runs([4])) == [(4, 4)]
    assert list(runs([1, 2, 3, 7, 9, 10])) == [(1, 3), (7, 7), (9, 10)]


def test_a_block_in_the_middle_splits_a_row() -> None:
    assert overlay([row(0, 100, 1)], row(50, 60, 2), list(range(50, 61))) == [
        row(0, 49, 1),
        row(50, 60, 2),
        row(61, 100, 1),
    ]


def test_a_block_with_gaps_leaves_them_to_the_older_one() -> None:
    assert overlay([row(0, 9, 1)], row(3, 6, 2), [3, 6]) == [
        row(0, 2, 1),
        row(3, 3, 2),
        row(4, 5, 1),
        row(6, 6, 2),
        row(7, 9, 1),
    ]


def test_gaps_that_nobody_claims_do_not_split_the_new_row() -> None:
    assert overlay([row(0, 3, 1)], row(3, 20, 2), [3, 10, 20]) == [row(0, 2, 1), row(3, 20, 2)]


BLOCKS = st.lists(st.sets(st.integers(0, 40), min_size=1), min_size=1, max_size=8)


@given(BLOCKS)
def test_each_id_is_found_in_the_newest_block_that_has_it(blocks: list[set[int]]) -> None:
    rows: list[Row] = []
    newest: dict[int, int] = {}
    for number, ids in enumerate(blocks):
        newer = row(min(ids), max(ids), number)
        before = [r for r in rows if r.last_entry >= min(ids) and r.first_entry <= max(ids)]
        changes = RowChanges(before)
        changes.add(newer, sorted(ids))
        added, removed = changes.result()
        rows = sorted([r for r in rows if r not in removed] + added)
        newest.update(dict.fromkeys(ids, number))
        for one, following in pairwise(rows):
            assert one.last_entry < following.first_entry
    for entry_id, number in newest.items():
        (covering,) = [r for r in rows if r.first_entry <= entry_id <= r.last_entry]
        assert covering.log_id == number
