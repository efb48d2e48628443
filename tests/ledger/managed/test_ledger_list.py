"""Positions and counts over a list of ledgers, against the entries written out one by one."""

from hypothesis import given
from hypothesis import strategies as st
from magnetar_ledger.managed.ledger_list import LedgerList
from magnetar_ledger.position import EARLIEST, LATEST, Position


def listed(lengths: list[int], *, open_last: bool) -> LedgerList:
    ledgers = LedgerList()
    for number, length in enumerate(lengths):
        if open_last and number == len(lengths) - 1:
            ledgers.append_open(number * 3)
            ledgers.grow(length, length * 10)
        else:
            ledgers.append_closed(number * 3, length, length * 10)
    return ledgers


LISTS = st.builds(
    listed, st.lists(st.integers(0, 4), min_size=1, max_size=6), open_last=st.booleans()
)
PLACES = st.builds(Position, st.integers(-1, 20), st.integers(-1, 6))


def all_entries(ledgers: LedgerList) -> list[Position]:
    return [Position(each, i) for each in ledgers.ids for i in range(ledgers.entries[each])]


@given(LISTS)
def test_indexes_number_the_entries(ledgers: LedgerList) -> None:
    entries = all_entries(ledgers)
    assert ledgers.entries_total == len(entries)
    assert ledgers.size_total == 10 * len(entries)
    assert [ledgers.position_at(i) for i in range(len(entries))] == entries
    for index, position in enumerate(entries):
        assert ledgers.index_after(position) == index + 1


@given(LISTS, PLACES)
def test_places_between_entries(ledgers: LedgerList, place: Position) -> None:
    entries = all_entries(ledgers)
    through = [each for each in entries if each <= place]
    behind = [each for each in entries if each > place]
    assert ledgers.index_after(place) == len(through)
    if behind:
        assert ledgers.next_position(place) == behind[0]
    from_here = [each for each in entries if each >= place]
    if from_here:
        assert ledgers.at_or_after(place) == from_here[0]
    before = [each for each in entries if each < place]
    assert ledgers.before(place) == (before[-1] if before else ledgers.first_position) or (
        not from_here and ledgers.before(place) == ledgers.last_position()
    )


@given(LISTS, st.integers(0, 3))
def test_indexes_stay_when_old_ledgers_go(ledgers: LedgerList, count: int) -> None:
    kept_index = {each: ledgers.index_after(each) for each in all_entries(ledgers)}
    gone = [each for each in ledgers.ids[:count] if each != ledgers.current_id]
    ledgers.remove(gone)
    for each in all_entries(ledgers):
        assert ledgers.index_after(each) == kept_index[each]
        assert ledgers.position_at(kept_index[each] - 1) == each


def test_the_end_of_an_open_ledger_is_in_it_and_of_a_closed_one_in_the_next() -> None:
    ledgers = listed([2, 0, 3], open_last=True)
    assert ledgers.next_position(Position(0, 1)) == (6, 0)
    assert ledgers.next_position(Position(6, 2)) == (6, 3)
    assert not ledgers.is_ended(Position(6, 2))
    ledgers.close_current()
    assert ledgers.is_ended(Position(6, 2))
    assert ledgers.next_position(Position(6, 2)) == (6, 3)


def test_positions_of_a_list_without_entries() -> None:
    ledgers = LedgerList()
    assert ledgers.last_position() == ledgers.first_position == EARLIEST
    ledgers.append_open(7)
    assert ledgers.last_position() == ledgers.first_position == (7, -1)
    assert ledgers.before(EARLIEST) == ledgers.before(LATEST) == (7, -1)
    assert ledgers.next_position(EARLIEST) == (7, 0)
