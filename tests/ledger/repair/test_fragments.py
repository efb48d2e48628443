"""What each bookie should have, against the write sets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_ledger.errors import LedgerMetadataError
from magnetar_ledger.repair.fragments import (
    bookies_needed,
    ensemble_of,
    known_fragments,
    open_segment,
    with_bookie,
)
from magnetar_ledger.striping import Quorum, segment_index
from magnetar_metadata.ledger_metadata import LedgerMetadata, LedgerState, Segment


@st.composite
def ledgers(draw: st.DrawFn) -> LedgerMetadata:
    ensemble = draw(st.integers(1, 5))
    write = draw(st.integers(1, ensemble))
    firsts = sorted({0, *draw(st.lists(st.integers(1, 30), max_size=4))})
    segments = tuple(
        Segment(first, tuple(f"b{index}{place}" for place in range(ensemble)))
        for index, first in enumerate(firsts)
    )
    state = draw(st.sampled_from(LedgerState))
    last = draw(st.integers(firsts[-1] - 1, 40)) if state is LedgerState.CLOSED else -1
    return LedgerMetadata(ensemble, write, write, segments, state, last)


@given(ledgers())
def test_a_fragment_has_the_entries_whose_write_set_has_the_bookie(
    metadata: LedgerMetadata,
) -> None:
    quorum, segments = Quorum.of(metadata), metadata.segments
    end = metadata.last_entry_id + 1 if metadata.closed else segments[-1].first_entry_id
    expected: dict[str, list[int]] = {}
    for entry_id in range(end):
        bookies = segments[segment_index(segments, entry_id)].bookies
        for place in quorum.write_set(entry_id):
            expected.setdefault(bookies[place], []).append(entry_id)
    found = {f.bookie_id: list(f.entry_ids()) for f in known_fragments(metadata)}
    assert found == expected
    needed = set(expected) if metadata.closed else {*expected, *segments[-1].bookies}
    assert bookies_needed(metadata) == needed


@given(ledgers(), st.integers(0, 100))
def test_a_sample_has_both_ends_and_its_share(metadata: LedgerMetadata, percent: int) -> None:
    for fragment in known_fragments(metadata):
        ids, sample = list(fragment.entry_ids()), list(fragment.sample(percent))
        assert sample == sorted(set(sample))
        assert set(sample) <= set(ids)
        assert {ids[0], ids[-1]} <= set(sample)
        if percent == 0:
            assert len(sample) <= 2
        if percent == 100:
            assert sample == ids


def test_a_sample_of_a_long_fragment_is_spread() -> None:
    metadata = LedgerMetadata(1, 1, 1, (Segment(0, ("b",)),), LedgerState.CLOSED, 999)
    (fragment,) = known_fragments(metadata)
    assert list(fragment.sample(10)) == [*range(0, 1000, 10), 999]
    assert list(fragment.sample(0)) == [0, 999]


CLOSED = LedgerMetadata(
    2, 2, 1, (Segment(0, ("a", "b")), Segment(5, ("a", "c"))), LedgerState.CLOSED, 9
)


def test_a_bookie_takes_the_place_of_another_in_one_segment() -> None:
    first = known_fragments(CLOSED)[0]
    changed = with_bookie(CLOSED, first, "d")
    assert changed is not None
    assert changed.segments == (Segment(0, ("d", "b")), Segment(5, ("a", "c")))
    assert ensemble_of(CLOSED, first) == ("a", "b")
    assert with_bookie(changed, first, "e") is None  # somebody was quicker
    with pytest.raises(LedgerMetadataError):
        ensemble_of(changed, first)
    assert with_bookie(CLOSED, first, "b") is None  # twice in one ensemble


def test_nobody_but_its_writer_changes_an_open_segment() -> None:
    opened = LedgerMetadata(2, 2, 1, CLOSED.segments)
    assert open_segment(opened) == CLOSED.segments[1]
    assert open_segment(CLOSED) is None
    last = known_fragments(CLOSED)[2]
    assert last.segment_first == 5
    assert with_bookie(opened, last, "d") is None
    assert with_bookie(opened, known_fragments(CLOSED)[0], "d") is not None


def test_a_segment_without_entries_needs_no_bookie_once_it_is_closed() -> None:
    empty = LedgerMetadata(
        2, 2, 1, (Segment(0, ("a", "b")), Segment(5, ("a", "c"))), LedgerState.CLOSED, 4
    )
    assert bookies_needed(empty) == {"a", "b"}
