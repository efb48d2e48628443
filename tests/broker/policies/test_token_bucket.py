"""Tokens that come back steadily."""

from hypothesis import given
from hypothesis import strategies as st
from magnetar_broker.policies.token_bucket import TokenBucket

SECOND = 1_000_000_000


def test_what_is_owed_is_paid_by_waiting() -> None:
    bucket = TokenBucket(10, SECOND, 0)
    bucket.take(10, 0)
    assert bucket.wait_ns(0) == 0
    bucket.take(5, 0)
    assert bucket.wait_ns(0) == SECOND // 2
    assert bucket.wait_ns(SECOND // 4) == SECOND // 4
    assert bucket.wait_ns(SECOND) == 0


def test_no_more_is_saved_than_those_of_a_period() -> None:
    bucket = TokenBucket(10, SECOND, 0)
    bucket.take(10, 1000 * SECOND)
    assert bucket.wait_ns(1000 * SECOND) == 0
    bucket.take(1, 1000 * SECOND)
    assert bucket.wait_ns(1000 * SECOND) == SECOND // 10


@given(st.integers(1, 1000), st.lists(st.integers(0, 3000), max_size=20))
def test_who_waits_when_told_to_is_never_ahead_by_more_than_a_period_and_what_came_last(
    rate: int, takes: list[int]
) -> None:
    bucket, now_ns, taken = TokenBucket(rate, SECOND, 0), 0, 0
    for tokens in takes:
        now_ns += bucket.wait_ns(now_ns)
        assert taken <= rate + rate * now_ns / SECOND + len(takes)
        bucket.take(tokens, now_ns)
        taken += tokens
