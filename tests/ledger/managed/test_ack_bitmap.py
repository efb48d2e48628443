"""A bitmap of acked entries against a set of ints, with ids around the ends of chunks."""

from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_ledger.managed.ack_bitmap import CHUNK_ENTRIES, AckBitmap

NEAR_ENDS = st.one_of(
    st.integers(0, 40),
    st.integers(CHUNK_ENTRIES - 40, CHUNK_ENTRIES + 40),
    st.integers(3 * CHUNK_ENTRIES - 9, 3 * CHUNK_ENTRIES + 9),
)
IDS = st.sets(NEAR_ENDS, max_size=60)


def bitmap_of(ids: set[int]) -> AckBitmap:
    bitmap = AckBitmap()
    for entry_id in ids:
        assert bitmap.add(entry_id)
    return bitmap


def runs(ids: set[int]) -> list[tuple[int, int]]:
    starts = sorted(i for i in ids if i - 1 not in ids)
    ends = sorted(i + 1 for i in ids if i + 1 not in ids)
    return list(zip(starts, ends, strict=True))


@settings(max_examples=50)
@given(IDS, NEAR_ENDS)
def test_what_was_put_in_is_in(ids: set[int], probe: int) -> None:
    bitmap = bitmap_of(ids)
    assert (probe in bitmap) == (probe in ids)
    assert bitmap.add(probe) == (probe not in ids)
    assert not bitmap.add(probe)


@given(IDS, NEAR_ENDS)
def test_run_end_is_the_first_id_that_is_not_in(ids: set[int], start: int) -> None:
    expected = start
    while expected in ids:
        expected += 1
    assert bitmap_of(ids).run_end(start) == expected


def test_run_end_crosses_full_chunks() -> None:
    bitmap = AckBitmap()
    bitmap.add_range(3, 2 * CHUNK_ENTRIES + 5)
    assert bitmap.run_end(3) == 2 * CHUNK_ENTRIES + 5
    assert bitmap.run_end(CHUNK_ENTRIES - 1) == 2 * CHUNK_ENTRIES + 5
    assert bitmap.run_end(2) == 2


@given(IDS, NEAR_ENDS, NEAR_ENDS)
def test_count_and_ranges_begin_where_they_are_told(ids: set[int], first: int, end: int) -> None:
    bitmap = bitmap_of(ids)
    assert bitmap.count(first, end) == len([i for i in ids if first <= i < end])
    expected = runs({i for i in ids if i >= first})
    assert list(bitmap.ranges(first)) == expected
    assert bitmap.range_count(first) == len(expected)


@settings(max_examples=30)
@given(IDS, NEAR_ENDS, st.integers(0, 80))
def test_a_range_equals_its_ids_one_by_one(ids: set[int], first: int, length: int) -> None:
    bitmap = bitmap_of(ids)
    bitmap.add_range(first, first + length)
    assert list(bitmap.ranges(0)) == runs(ids | set(range(first, first + length)))


@settings(max_examples=50)
@given(IDS, IDS, NEAR_ENDS)
def test_bytes_bring_it_back(ids: set[int], others: set[int], first: int) -> None:
    copy = bitmap_of(others)
    copy.merge_bytes(bitmap_of(ids).to_bytes(first))
    assert list(copy.ranges(0)) == runs(others | {i for i in ids if i >= first})


@given(IDS, NEAR_ENDS)
def test_forgetting_leaves_the_other_side(ids: set[int], cut: int) -> None:
    bitmap = bitmap_of(ids)
    bitmap.forget_before(cut)
    assert list(bitmap.ranges(cut)) == runs({i for i in ids if i >= cut})
    bitmap = bitmap_of(ids)
    bitmap.forget_from(cut)
    assert list(bitmap.ranges(0)) == runs({i for i in ids if i < cut})


@given(IDS)
def test_the_last_is_the_highest(ids: set[int]) -> None:
    bitmap = AckBitmap()
    for entry_id in ids:
        bitmap.add(entry_id)
    assert bitmap.last() == max(ids, default=-1)
    bitmap.forget_from(0)
    assert bitmap.last() == -1
