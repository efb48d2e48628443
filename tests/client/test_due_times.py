from magnetar.due_times import DueTimes


def test_what_is_due_in_order() -> None:
    due: DueTimes[str] = DueTimes()
    for key, time_s in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
        due.add(key, time_s)
    assert due.next_s == 1.0
    assert due.take(2.0) == ["a", "b"]
    assert "c" in due
    assert due.take(2.5) == []
    assert len(due) == 1


def test_added_again_counts_once_and_later() -> None:
    due: DueTimes[str] = DueTimes()
    due.add("a", 1.0)
    due.add("a", 5.0)
    assert due.take(4.0) == []
    assert due.take(5.0) == ["a"]
    assert due.next_s is None


def test_what_is_discarded_is_not_due_and_takes_no_room() -> None:
    due: DueTimes[int] = DueTimes()
    for number in range(1000):
        due.add(number, float(number))
    for number in range(999):
        due.discard(number)
    assert len(due._heap) < 200
    assert due.next_s == 999.0
    due.add(1, 1.0)
    due.discard_where(lambda key: key == 999)
    assert due.take(2000.0) == [1]
    due.add(1, 1.0)
    due.clear()
    assert due.take(9.0) == []
