"""When a ledger is full, and when the answer may change by time alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_ledger.managed.config import ManagedLedgerConfig
from magnetar_ledger.managed.roll_over import (
    LedgerFill,
    Thresholds,
    is_due,
    is_nearly_due,
    next_check_ms,
)

CONFIG = ManagedLedgerConfig(
    max_entries_per_ledger=100,
    max_ledger_size_bytes=1000,
    min_ledger_age_ms=10_000,
    max_ledger_age_ms=60_000,
)


@pytest.mark.parametrize(
    ("fill", "nearly", "due"),
    [
        (LedgerFill(0, 0, 999_999), False, False),
        (LedgerFill(50, 500, 50_000), False, False),
        (LedgerFill(90, 500, 10_000), True, False),
        (LedgerFill(99, 899, 10_000), True, False),
        (LedgerFill(100, 0, 10_000), True, True),
        (LedgerFill(100, 5000, 9_999), True, False),
        (LedgerFill(100, 5000, 8_999), False, False),
        (LedgerFill(1, 900, 10_000), True, False),
        (LedgerFill(1, 1000, 10_000), True, True),
        (LedgerFill(1, 1, 54_000), True, False),
        (LedgerFill(1, 1, 60_000), True, True),
    ],
)
def test_full_by_entries_bytes_or_age_but_not_while_young(
    fill: LedgerFill, nearly: bool, due: bool
) -> None:
    assert is_nearly_due(fill, CONFIG) == nearly
    assert is_due(fill, CONFIG) == due


@given(st.integers(0, 70_000), st.sampled_from([(1, 1), (90, 1), (100, 1), (1, 950), (1, 1000)]))
def test_no_answer_changes_before_the_next_check(age_ms: int, fill: tuple[int, int]) -> None:
    wait_ms = next_check_ms(age_ms, CONFIG)
    last = 10**9 if wait_ms is None else age_ms + wait_ms - 1
    assert wait_ms is None or wait_ms > 0
    for question in (is_due, is_nearly_due):
        now = question(LedgerFill(*fill, age_ms), CONFIG)
        assert question(LedgerFill(*fill, last), CONFIG) == now


def test_thresholds_are_armed_by_a_new_ledger_and_by_time() -> None:
    limits = Thresholds(CONFIG)
    assert (limits.full_at_entry, limits.full_at_bytes) == (99, 1000)
    assert (limits.ahead_at_entry, limits.ahead_at_bytes) == (90, 900)
    limits.disarm_full()
    limits.disarm_ahead()
    assert min(limits.full_at_entry, limits.full_at_bytes) > 10**15
    limits.arm_full()
    assert limits.full_at_entry == 99
    assert min(limits.ahead_at_entry, limits.ahead_at_bytes) > 10**15
    limits.arm()
    assert limits.ahead_at_entry == 90
