"""Write sets and segments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_ledger.striping import Quorum, segment_index, with_segment
from magnetar_metadata.ledger_metadata import LedgerMetadata, Segment

A, B, C = (Segment(0, ("a",)), Segment(5, ("b",)), Segment(9, ("c",)))


@pytest.mark.parametrize(
    ("entry_id", "write_set"), [(0, (0, 1)), (1, (1, 2)), (2, (2, 0)), (3, (0, 1)), (8, (2, 0))]
)
def test_write_sets_go_round(entry_id: int, write_set: tuple[int, ...]) -> None:
    assert Quorum(3, 2, 1).write_set(entry_id) == write_set


def test_all_bookies_get_all_entries_in_turning_order() -> None:
    quorum = Quorum(3, 3, 2)
    assert [quorum.write_set(e) for e in range(3)] == [(0, 1, 2), (1, 2, 0), (2, 0, 1)]
    assert not quorum.striped
    assert Quorum(3, 2, 2).striped


@given(st.integers(1, 5), st.data())
def test_coverage_is_the_least_that_meets_every_ack_quorum(write: int, data: st.DataObject) -> None:
    quorum = Quorum(write, write, data.draw(st.integers(1, write)))
    assert quorum.coverage + quorum.ack_quorum == write + 1


@pytest.mark.parametrize("sizes", [(1, 2, 1), (2, 1, 2), (1, 1, 0)])
def test_quorums_fit_into_each_other(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(AssertionError):
        Quorum(*sizes)


def test_the_quorum_of_metadata() -> None:
    assert Quorum.of(LedgerMetadata(3, 2, 1, (Segment(0, ("a", "b", "c")),))) == Quorum(3, 2, 1)


@pytest.mark.parametrize(
    ("entry_id", "index"), [(0, 0), (4, 0), (5, 1), (8, 1), (9, 2), (10**9, 2)]
)
def test_an_entry_is_in_the_last_segment_that_begins_before_it(entry_id: int, index: int) -> None:
    assert segment_index((A, B, C), entry_id) == index


def test_a_new_segment_replaces_one_without_entries() -> None:
    assert with_segment((A, B), C) == (A, B, C)
    other = Segment(5, ("d",))
    assert with_segment((A, B), other) == (A, other)
    with pytest.raises(AssertionError):
        with_segment((A, C), B)
