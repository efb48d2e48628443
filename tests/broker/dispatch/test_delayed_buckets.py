"""Buckets: what goes into one comes out of it, and nothing that is not whole is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_broker.dispatch.delayed_buckets import BucketMaker, Directory, StoredBucket
from magnetar_broker.dispatch.delayed_runs import MalformedIndexError, SortedRun, key_of
from magnetar_broker.dispatch.waiting_entries import WaitingEntries

ROWS = st.lists(
    st.tuples(st.integers(0, 1 << 41), st.integers(0, 1 << 33), st.integers(0, 300)),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row[1:],
)


def made(runs: list[list[tuple[int, int, int]]], segment_rows: int) -> tuple[list[bytes], int]:
    """The entries of a bucket, and how many steps it took."""
    maker = BucketMaker(
        [SortedRun(sorted(key_of(*row) for row in run)) for run in runs], segment_rows
    )
    steps = 1
    while maker.step():
        steps += 1
    return maker.entries, steps


@given(st.lists(ROWS, min_size=1, max_size=3), st.integers(1, 50))
def test_rows_come_out_in_the_order_of_their_times(
    runs: list[list[tuple[int, int, int]]], segment_rows: int
) -> None:
    entries, _ = made(runs, segment_rows)
    *segments, last = entries
    directory = Directory.decode(last)
    keys = sorted(key_of(*row) for run in runs for row in run)
    decoded = [SortedRun.decode(segment) for segment in segments]
    assert [key for run in decoded for key in run.remaining()] == keys
    assert directory.segments == [(run.next_ms, len(run)) for run in decoded]
    waiting = WaitingEntries()
    for ledger_id, bits in directory.entries:
        waiting.merge(ledger_id, bits)
    rows = {row[1:] for run in runs for row in run}
    assert waiting.count == len(rows)
    assert all(waiting.contains(*row) for row in rows)


def test_a_large_one_is_made_in_many_steps() -> None:
    entries, steps = made([[(n, 1, n) for n in range(5_000)]], segment_rows=2_000)
    assert (len(entries), steps) == (3 + 1, 8 + 8 + 4 + 1)


def test_two_segments_are_in_memory_at_most_and_none_before_its_time() -> None:
    entries, _ = made([[(10 * n, 7, n) for n in range(6)]], segment_rows=2)
    bucket = StoredBucket(99, Directory.decode(entries[-1]))
    bucket.loaded(SortedRun.decode(entries[0]))
    assert not bucket.wants_segment(19)
    assert bucket.wants_segment(20)
    bucket.loading = True
    assert not bucket.wants_segment(20)
    bucket.loaded(SortedRun.decode(entries[1]))
    assert bucket.size_bytes == 2 * 20
    assert not bucket.wants_segment(100)
    assert [bucket.pop(), bucket.pop()] == [(7, 0), (7, 1)]
    assert not bucket.needs_segment  # the next one is there
    assert bucket.size_bytes == 20
    assert bucket.next_ms == 20
    assert bucket.wants_segment(100)


def test_a_bucket_takes_only_what_is_loaded() -> None:
    entries, _ = made([[(n, 7, n) for n in range(5)]], segment_rows=2)
    bucket = StoredBucket(99, Directory.decode(entries[-1]))
    taken = []
    while not bucket.drained:
        assert bucket.needs_segment
        assert bucket.size_bytes == 0
        assert bucket.next_ms == 2 * bucket.segment
        bucket.loaded(SortedRun.decode(entries[bucket.segment]))
        while not (bucket.needs_segment or bucket.drained):
            assert bucket.size_bytes > 0
            taken.append(bucket.pop())
    assert taken == [(7, entry_id) for entry_id in range(5)]


@given(st.integers(0, 100), st.integers(1, 255), st.booleans())
def test_what_is_damaged_is_refused_or_read_as_something(
    at: int, change: int, directory: bool
) -> None:
    """The ledger's digests find damage; here nothing else than the error may be raised."""
    entries, _ = made([[(n, 7, n) for n in range(5)]], segment_rows=3)
    data = bytearray(entries[-1 if directory else 0])
    data[at % len(data)] ^= change
    for decode in (Directory.decode, SortedRun.decode):
        try:
            decode(bytes(data))
        except MalformedIndexError:
            continue


@pytest.mark.parametrize("length", range(0, 40, 3))
def test_what_is_cut_is_refused(length: int) -> None:
    entries, _ = made([[(n, 7, n) for n in range(5)]], segment_rows=3)
    with pytest.raises(MalformedIndexError):
        Directory.decode(entries[-1][:length])
    with pytest.raises(MalformedIndexError):
        SortedRun.decode(entries[0][:length])


def test_a_segment_is_no_directory() -> None:
    entries, _ = made([[(1, 7, 1)]], segment_rows=3)
    with pytest.raises(MalformedIndexError):
        Directory.decode(entries[0])
