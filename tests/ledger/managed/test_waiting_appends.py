"""Entries between two ledgers."""

from magnetar_ledger.managed.waiting_appends import WaitingAppends


def test_what_was_taken_before_comes_first_again() -> None:
    waiting = WaitingAppends(max_entries=9, max_bytes=99)
    waiting.append(b"c")
    waiting.put_back([b"a", b"b"])
    assert [waiting.popleft() for _ in range(len(waiting))] == [b"a", b"b", b"c"]


def test_room_ends_by_entries_or_bytes() -> None:
    waiting = WaitingAppends(max_entries=3, max_bytes=10)
    waiting.append(b"x" * 9)
    assert waiting.has_room
    waiting.put_back([b"y"])
    assert not waiting.has_room
    assert waiting.popleft() == b"y"
    assert waiting.has_room
    assert waiting.clear() == 1
    for _ in range(3):
        assert waiting.has_room
        waiting.append(b"")
    assert not waiting.has_room
