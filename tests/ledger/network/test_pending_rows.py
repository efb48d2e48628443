"""At most one request of a key is under way, so that no response can be taken for another's."""

from magnetar_ledger.network.pending_rows import PendingRows
from magnetar_proto.bookkeeper.requests import ReadRequest


def request(number: int) -> ReadRequest:
    return ReadRequest(2, number, 0, 7, -1)


def test_rows_are_found_by_key() -> None:
    rows: PendingRows[str] = PendingRows()
    assert rows.put("a", 1, "first", request(1))
    assert rows.put("b", 2, "second", request(2))
    assert len(rows) == 2
    assert rows.take("b") == ("second", None)
    assert rows.take("b") == (None, None)
    assert rows.take("a") == ("first", None)
    assert not rows


def test_a_second_request_of_a_key_waits_for_the_first_response() -> None:
    rows: PendingRows[str] = PendingRows()
    rows.put("a", 1, "first", request(1))
    assert not rows.put("a", 2, "second", request(2))
    assert not rows.put("a", 3, "third", request(3))
    assert rows.take("a") == ("first", request(2))
    assert rows.take("a") == ("second", request(3))
    assert rows.take("a") == ("third", None)


def test_a_late_response_belongs_to_nobody_but_lets_the_next_request_go() -> None:
    rows: PendingRows[str] = PendingRows()
    rows.put("a", 1, "first", request(1))
    rows.put("b", 2, "other", request(2))
    assert rows.take_overdue(2) == [("a", "first")]
    assert not rows.put("a", 3, "second", request(3))
    assert rows.take("a") == (None, request(3))
    assert rows.take("a") == ("second", None)
    assert rows.put("a", 4, "third", request(4))


def test_what_is_held_back_is_overdue_too() -> None:
    rows: PendingRows[str] = PendingRows()
    rows.put("a", 1, "first", request(1))
    rows.put("a", 2, "second", request(2))
    rows.put("a", 3, "third", request(3))
    assert rows.take_overdue(3) == [("a", "first"), ("a", "second")]
    assert rows.take("a") == (None, request(3))


def test_a_key_is_stuck_once_a_request_timed_out_behind_one_that_was_given_up() -> None:
    rows: PendingRows[str] = PendingRows()
    rows.put("a", 1, "first", request(1))
    rows.put("a", 2, "at the same time", request(2))
    rows.put("b", 3, "other", request(3))
    rows.take_overdue(3)
    assert not rows.stuck
    rows.put("a", 4, "second", request(4))
    rows.take_overdue(4)
    assert not rows.stuck
    assert rows.take_overdue(5) == [("a", "second")]
    assert rows.stuck
    rows.take_all()
    assert not rows.stuck


def test_all_come_in_the_order_in_which_they_were_put() -> None:
    rows: PendingRows[str] = PendingRows()
    rows.put("a", 1, "first", request(1))
    rows.put("a", 2, "second", request(2))
    rows.put("b", 3, "third", request(3))
    assert rows.take_all() == [("a", "first"), ("a", "second"), ("b", "third")]
    assert not rows
    assert rows.put("a", 4, "again", request(4))
