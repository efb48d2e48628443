"""Sizes of backlogs, by the ledgers of a topic."""

from hypothesis import given
from hypothesis import strategies as st
from magnetar_broker.policies.backlog_size import Ledgers, backlog_bytes, position_leaving
from magnetar_ledger.position import Position

LEDGERS: Ledgers = [(3, 10, 100), (5, 0, 0), (7, 4, 400)]

ledger_lists = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 1000)), max_size=6).map(
    lambda sizes: [(2 * at, entries, size) for at, (entries, size) in enumerate(sizes)]
)


def test_what_lies_behind_a_place() -> None:
    assert backlog_bytes(LEDGERS, Position(3, -1)) == 500
    assert backlog_bytes(LEDGERS, Position(3, 4)) == 450
    assert backlog_bytes(LEDGERS, Position(3, 9)) == 400
    assert backlog_bytes(LEDGERS, Position(7, 3)) == 0
    assert backlog_bytes(LEDGERS, Position(7, 8)) == 0


def test_where_a_backlog_of_a_size_begins() -> None:
    assert position_leaving(LEDGERS, 500) is None
    assert position_leaving(LEDGERS, 450) == (3, 4)
    assert position_leaving(LEDGERS, 399) == (7, 0)
    assert position_leaving(LEDGERS, 0) == (7, 3)


@given(ledger_lists, st.integers(0, 3000))
def test_behind_that_place_is_no_more_and_an_entry_earlier_would_be(
    ledgers: Ledgers, most: int
) -> None:
    place = position_leaving(ledgers, most)
    everything = sum(size for _, _, size in ledgers)
    if place is None:
        assert everything <= most
        return
    assert backlog_bytes(ledgers, place) <= most < everything
    one_more = Position(place.ledger_id, place.entry_id - 1)
    size, entries = next((size, entries) for each, entries, size in ledgers if each == place[0])
    assert backlog_bytes(ledgers, one_more) + size // entries + 1 > most
