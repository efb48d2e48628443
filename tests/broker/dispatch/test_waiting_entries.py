"""The set of waiting entries against a set of tuples."""

from hypothesis import given
from hypothesis import strategies as st
from magnetar_broker.dispatch.waiting_entries import WaitingEntries
from magnetar_ledger.position import Position

PLACES = st.tuples(st.integers(1, 3), st.one_of(st.integers(0, 20), st.integers(32_760, 32_780)))
STEPS = st.lists(st.tuples(st.booleans(), PLACES), max_size=60)


def played(steps: list[tuple[bool, tuple[int, int]]]) -> tuple[WaitingEntries, set[Position]]:
    waiting, model = WaitingEntries(), set[Position]()
    for put, place in steps:
        position = Position(*place)
        if put:
            assert waiting.add(*position) == (position not in model)
            model.add(position)
        else:
            assert waiting.discard(*position) == (position in model)
            model.discard(position)
    return waiting, model


@given(STEPS, PLACES)
def test_it_is_a_set(steps: list[tuple[bool, tuple[int, int]]], probe: tuple[int, int]) -> None:
    waiting, model = played(steps)
    assert waiting.count == len(model)
    position = Position(*probe)
    assert waiting.contains(*position) == (position in model)
    outside = position
    while outside in model:
        outside = Position(outside.ledger_id, outside.entry_id + 1)
    assert waiting.next_outside(position) == outside


@given(STEPS, STEPS)
def test_bit_sets_of_two_are_those_of_both(
    first: list[tuple[bool, tuple[int, int]]], second: list[tuple[bool, tuple[int, int]]]
) -> None:
    (waiting, model), (other, others) = played(first), played(second)
    for ledger_id, bits in other.bitmaps():
        waiting.merge(ledger_id, bits)
    assert waiting.count == len(model | others)
    assert all(waiting.contains(*position) for position in model | others)


def test_cleared_nothing_is_in_it() -> None:
    waiting, _ = played([(True, (1, 2))])
    waiting.clear()
    assert (waiting.count, waiting.contains(1, 2), list(waiting.bitmaps())) == (0, False, [])
