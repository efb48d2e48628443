"""Clocks of nodes over virtual time."""

from magnetar_runtime.clock import Clock
from magnetar_runtime.sim.clock import WALL_START_MS, SimClock


class Time:
    now_ns = 0


def test_wall_clocks_are_off_drift_and_jump_and_monotonic_ones_do_not() -> None:
    time = Time()
    right: Clock = SimClock(time)
    wrong = SimClock(time, offset_ms=-500, drift_ppm=1_000)
    assert (right.monotonic_ns(), right.wall_ms()) == (0, WALL_START_MS)
    time.now_ns = 10_000_000_000
    assert right.monotonic_ns() == wrong.monotonic_ns() == time.now_ns
    assert right.wall_ms() == WALL_START_MS + 10_000
    assert wrong.wall_ms() == WALL_START_MS + 10_000 - 500 + 10
    wrong.step(-86_400_000)
    assert wrong.wall_ms() == WALL_START_MS + 10_000 - 490 - 86_400_000
    assert wrong.monotonic_ns() == time.now_ns
