"""The clock of a simulated node: the loop's time, and a wall clock that may be wrong."""

from typing import Final, Protocol

WALL_START_MS: Final = 1_700_000_000_000
"""What wall clocks show when a simulation begins."""


class _Time(Protocol):
    @property
    def now_ns(self) -> int: ...


class SimClock:
    """Implements `magnetar_runtime.clock.Clock` over virtual time.

    Args:
        loop: whose time this is.
        offset_ms: how far the wall clock is ahead (or behind, if negative).
        drift_ppm: how much faster than time the wall clock goes, in millionths.
    """

    def __init__(self, loop: _Time, *, offset_ms: int = 0, drift_ppm: int = 0) -> None:
        self._loop = loop
        self._offset_ms = offset_ms
        self._drift_ppm = drift_ppm

    def monotonic_ns(self) -> int:
        return self._loop.now_ns

    def wall_ms(self) -> int:
        now_ns = self._loop.now_ns
        drifted_ns = now_ns + now_ns * self._drift_ppm // 1_000_000
        return WALL_START_MS + self._offset_ms + drifted_ns // 1_000_000

    def step(self, by_ms: int) -> None:
        """Let the wall clock jump, as when an operator or NTP sets it."""
        self._offset_ms += by_ms
