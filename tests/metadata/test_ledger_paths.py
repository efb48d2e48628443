"""Paths of ledgers, as BookKeeper makes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_metadata.ledger_paths import (
    SHORT_ID_LIMIT,
    ledger_id_of,
    ledger_path,
    parents_of_ledger,
)


@pytest.mark.parametrize(
    ("ledger_id", "path"),
    [
        (0, "/ledgers/00/0000/L0000"),
        (1234567, "/ledgers/00/0123/L4567"),
        (2**31 - 2, "/ledgers/21/4748/L3646"),
        (2**31 - 1, "/ledgers/000/0000/0021/4748/L3647"),
        (2**63 - 1, "/ledgers/922/3372/0368/5477/L5807"),
    ],
)
def test_paths(ledger_id: int, path: str) -> None:
    assert ledger_path(ledger_id) == path


def test_parents_come_deepest_first_without_the_root() -> None:
    assert parents_of_ledger(1234567) == ["/ledgers/00/0123", "/ledgers/00"]


@given(st.integers(0, 2**63 - 1) | st.integers(SHORT_ID_LIMIT - 5, SHORT_ID_LIMIT + 5))
def test_the_digits_of_a_path_are_the_id(ledger_id: int) -> None:
    digits = ledger_path(ledger_id, "/x").removeprefix("/x").replace("/", "").replace("L", "")
    assert ledger_id_of(digits) == ledger_id


@pytest.mark.parametrize("digits", ["", "12", "00000000x1", "9999999999", "0" * 19, "\u0660" * 10])
def test_other_names_are_no_ledgers(digits: str) -> None:
    assert ledger_id_of(digits) is None
