from hypothesis import given
from hypothesis import strategies as st
from magnetar_broker.dispatch.delayed_runs import SortedRun, key_of, position_of, time_of

ROWS = st.tuples(
    st.integers(0, 2**50), st.sampled_from([1, 7, 2**62]), st.sampled_from([0, 5, 2**31, 2**40])
)


@given(st.lists(ROWS, min_size=1))
def test_rows_come_out_in_order(rows: list[tuple[int, int, int]]) -> None:
    run = SortedRun(sorted(key_of(*row) for row in rows))
    found = []
    while not run.drained:
        found.append((run.next_ms, *run.pop()))
    assert found == sorted(rows)


def test_a_row_takes_ten_bytes() -> None:
    run = SortedRun([key_of(1_700_000_000_000 + n, 3, n) for n in range(100)])
    assert run.size_bytes == 1_000


def test_a_key_is_time_and_position() -> None:
    key = key_of(1_700_000_000_123, 2**62, 2**40)
    assert (time_of(key), position_of(key)) == (1_700_000_000_123, (2**62, 2**40))
