"""A cursor's state in its forms: node, record with ranges, record with bit sets."""

from hypothesis import given
from hypothesis import strategies as st
from magnetar_ledger.managed.cursor_state import CursorState
from magnetar_ledger.managed.ledger_list import LedgerList
from magnetar_ledger.position import Position


def ledgers() -> LedgerList:
    result = LedgerList()
    result.append_closed(3, 70, 700)
    result.append_open(9)
    result.grow(130, 1300)
    return result


def state_of(acked: set[int]) -> CursorState:
    order = ledgers()
    state = CursorState(order, Position(3, -1))
    for index in acked:
        state.ranges.ack(order.position_at(index))
    state.ranges.ack_batch(Position(9, 129), [0b101, -1], 128)
    state.redeliveries.increment(9, 128)
    state.properties = {"snapshot": 2**40}
    state.cursor_properties = {"color": "red"}
    return state


def facts(state: CursorState) -> tuple[object, ...]:
    return (
        state.ranges.mark_delete,
        list(state.ranges.ranges()),
        list(state.ranges.batches()),
        state.ranges.backlog_entries,
        state.properties,
        list(state.redeliveries.pieces()),
    )


@given(st.sets(st.integers(0, 198)))
def test_an_inline_node_brings_all_back(acked: set[int]) -> None:
    state = state_of(acked)
    copy = CursorState(ledgers(), Position(3, -1))
    copy.take_info(state.to_info(-1, inline=True), inline=True)
    assert facts(copy) == facts(state)
    assert copy.cursor_properties == state.cursor_properties


def test_a_node_with_a_cursor_ledger_has_only_the_fall_back() -> None:
    info = state_of({0, 1, 5}).to_info(77, inline=False)
    assert (info.cursor_ledger_id, info.mark_delete) == (77, (3, 1))
    assert info.individual_deleted == ()
    assert info.batch_deletes == ()
    assert info.cursor_properties == {"color": "red"}


def test_ranges_part_acked_and_given_back_entries_count_for_the_size() -> None:
    state = state_of({2, 4})
    assert state.needs_ledger(3)
    assert not state.needs_ledger(4)


def test_large_sets_of_part_acked_entries_do_not_go_into_the_node() -> None:
    state = state_of({2, 4})
    state.ranges.ack_batch(Position(3, 5), [-1] * 30_000)
    assert not state.needs_ledger(100)
    state.ranges.ack_batch(Position(3, 6), [-1] * 30_000)
    assert state.needs_ledger(100)


def test_reset_forgets_and_is_a_change() -> None:
    state = state_of({2, 4})
    before = state.revision
    state.reset(Position(3, 20))
    assert state.revision > before
    assert facts(state)[:3] == ((3, 20), [], [])
    assert (len(state.redeliveries), state.resets) == (0, 1)
