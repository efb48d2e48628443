"""A pause holds everything back until somebody has looked at the session."""

from magnetar_broker.ownership.pause_guard import PauseGuard

MS = 1_000_000


def test_who_runs_may_send() -> None:
    guard = PauseGuard(1_000)
    assert all(guard.beat(now * MS) for now in range(0, 60_000, 1_000))
    assert guard.pauses == 0


def test_a_pause_is_noticed_by_the_first_who_asks() -> None:
    guard = PauseGuard(1_000)
    assert guard.beat(5_000 * MS)
    assert not guard.beat(6_001 * MS)
    assert guard.doubtful
    assert not guard.beat(6_002 * MS)  # it runs again, and still nobody has looked
    assert not guard.beat(9_000 * MS)
    assert guard.pauses == 1
    guard.settle()
    assert guard.beat(9_500 * MS)


def test_the_first_beat_begins_it() -> None:
    assert PauseGuard(1).beat(10**15)
