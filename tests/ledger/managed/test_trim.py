"""Which ledgers may go: by the slowest durable cursor, by retention, never the current one."""

import pytest
from magnetar_ledger.managed.config import Retention
from magnetar_ledger.managed.trim import removable, slowest
from magnetar_ledger.position import Position
from magnetar_metadata.managed_ledger_info import LedgerInfo

NOW_MS = 100_000
LEDGERS = [
    LedgerInfo(1, entries=10, size=100, timestamp_ms=10_000),
    LedgerInfo(2, entries=10, size=100, timestamp_ms=50_000),
    LedgerInfo(3, entries=10, size=100, timestamp_ms=90_000),
    LedgerInfo(4, entries=10, size=100),
]
NONE = Retention(0, 0)


@pytest.mark.parametrize(
    ("mark_delete", "expected"),
    [
        (None, [1, 2, 3]),
        ((1, -1), []),
        ((1, 8), []),
        ((1, 9), [1]),
        ((2, -1), [1]),
        ((3, 9), [1, 2, 3]),
        ((4, 9), [1, 2, 3]),
    ],
)
def test_a_ledger_goes_when_the_slowest_cursor_has_passed_it(
    mark_delete: tuple[int, int] | None, expected: list[int]
) -> None:
    position = mark_delete and Position(*mark_delete)
    assert removable(LEDGERS, 4, position, NONE, NOW_MS) == expected


@pytest.mark.parametrize(
    ("retention", "expected"),
    [
        (Retention(-1, -1), []),
        (Retention(50_000, -1), [1, 2]),
        (Retention(50_001, -1), [1]),
        (Retention(-1, 300), [1]),
        (Retention(-1, 301), []),
        (Retention(-1, 200), [1, 2]),
        (Retention(90_000, 200), [1, 2]),
        (Retention(10_000, 10_000), [1, 2, 3]),
        (Retention(-1, 0), []),
    ],
)
def test_retention_holds_until_either_limit_is_passed(
    retention: Retention, expected: list[int]
) -> None:
    assert removable(LEDGERS, 4, None, retention, NOW_MS) == expected


def test_nothing_goes_from_behind_what_stays() -> None:
    late_first = [LedgerInfo(1, 10, 100, timestamp_ms=99_999), *LEDGERS[1:]]
    assert removable(late_first, 4, None, Retention(10_000, -1), NOW_MS) == []


def test_the_slowest_is_the_one_that_is_furthest_back() -> None:
    assert slowest([]) is None
    assert slowest([Position(2, 0), Position(1, 99)]) == (1, 99)
