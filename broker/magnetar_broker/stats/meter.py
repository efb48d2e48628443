"""Rates of counters, from looks at them that are some time apart."""

from __future__ import annotations

from collections.abc import Sequence


class Meter:
    """Between two looks nothing is done, however often the counters are counted up.

    Attributes:
        rates: Of each counter, per second, between the last two looks.
        changed_ms: When (wall clock) a look found each counter changed; 0 if never.
    """

    __slots__ = ("_looked_ns", "_totals", "changed_ms", "rates")

    def __init__(self, counters: int, now_ns: int) -> None:
        """Make the meter of counters that were 0 at `now_ns` (monotonic clock)."""
        self.rates = (0.0,) * counters
        self.changed_ms = [0] * counters
        self._totals: Sequence[int] = (0,) * counters
        self._looked_ns = now_ns

    def look(self, totals: Sequence[int], now_ns: int, wall_ms: int) -> None:
        """Take the counters as they are now; the rates are those since the last look."""
        seconds = (now_ns - self._looked_ns) / 1e9
        if seconds <= 0:
            return
        pairs = tuple(zip(totals, self._totals, strict=True))
        self.rates = tuple((new - old) / seconds for new, old in pairs)
        for index, (new, old) in enumerate(pairs):
            if new != old:
                self.changed_ms[index] = wall_ms
        self._totals, self._looked_ns = totals, now_ns
