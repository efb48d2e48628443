"""A sink hears of many adds at once, in the order in which they were made."""

from magnetar_ledger.network.ends import AddRow, AddsEnded, Ends
from magnetar_proto.bookie import Status

from tests.proto.bookie_contract import Adds


def test_pieces_of_calls_are_put_together_in_their_order() -> None:
    sink, ends = Adds(), Ends()
    first, second = AddRow(1, 0, sink, 6, 600), AddRow(2, 0, sink, 2, 200)
    ends.adds(second, range(10, 12), Status.OK)
    ends.adds(first, range(3, 6), Status.OK)
    ends.adds(first, range(2), Status.OK)
    assert ends.all() == [AddsEnded(sink, [0, 1, 3, 4, 5, 10, 11], Status.OK)]
    ends.adds(first, (2,), Status.OK)
    assert ends.all() == [AddsEnded(sink, [0, 1, 2, 3, 4, 5, 10, 11], Status.OK)]


def test_ends_of_another_kind_are_told_apart() -> None:
    one, other, ends = Adds(), Adds(), Ends()
    row, strange = AddRow(1, 0, one, 3, 30), AddRow(2, 9, other, 1, 10)
    ends.adds(row, (0,), Status.OK)
    ends.adds(strange, (9,), Status.OK)
    ends.adds(row, (1,), Status.FENCED)
    ends.adds(row, (2,), Status.OK)
    assert ends.all() == [
        AddsEnded(one, [0, 2], Status.OK),
        AddsEnded(other, [9], Status.OK),
        AddsEnded(one, [1], Status.FENCED),
    ]


def test_the_bytes_of_a_call_come_back_to_the_last_one() -> None:
    row = AddRow(1, 0, Adds(), 7, 1000)
    assert sum(row.end(count) for count in (1, 3, 2, 1)) == 1000


def test_how_far_a_row_goes_on() -> None:
    row, other = (AddRow(number, 0, Adds(), 3, 30) for number in (1, 2))
    assert row.following([other, row, row, other, row], 1) == 2
    assert row.following([row, row, row, row], 0) == 3
    assert row.following([row], 0) == 1
