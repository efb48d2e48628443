"""Time as a parameter: what may ask the time gets a `Clock`."""

import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic time for intervals, wall time for stamps that leave the process."""

    def monotonic_ns(self) -> int:
        """Nanoseconds from some point in the past; never goes back."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970; may jump."""


class SystemClock:
    """The clock of the machine."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000
