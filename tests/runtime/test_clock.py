"""The machine's clock gives nanoseconds that do not go back, and milliseconds since 1970."""

import time

from magnetar_runtime.clock import Clock, SystemClock


def test_units() -> None:
    clock: Clock = SystemClock()
    first = clock.monotonic_ns()
    assert first <= clock.monotonic_ns()
    assert abs(clock.wall_ms() - time.time() * 1000) < 60_000
    assert abs(first - time.monotonic() * 1e9) < 60e9
