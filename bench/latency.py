"""A latency histogram of fixed relative precision that costs nothing to keep."""

import math
from collections.abc import Iterable
from typing import Final

STEPS_PER_DECADE: Final = 500
"""Buckets are 0.46 % wide."""
SMALLEST_S: Final = 1e-7
QUANTILES: Final = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


class LatencyHistogram:
    """Counts durations in logarithmic buckets."""

    def __init__(self) -> None:
        self.total = 0
        self.largest_s = 0.0
        self._buckets: dict[int, int] = {}

    def add(self, duration_s: float, count: int = 1) -> None:
        """Counts `count` messages that took `duration_s` each."""
        bucket = round(math.log10(max(duration_s, SMALLEST_S)) * STEPS_PER_DECADE)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + count
        self.total += count
        self.largest_s = max(self.largest_s, duration_s)

    def add_all(self, durations_s: Iterable[float]) -> None:
        """Counts each duration once."""
        for duration_s in durations_s:
            self.add(duration_s)

    def quantile(self, fraction: float) -> float:
        """The duration in seconds that `fraction` of all messages did not exceed."""
        wanted = max(1, math.ceil(fraction * self.total))
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return min(math.pow(10.0, bucket / STEPS_PER_DECADE), self.largest_s)
        return 0.0

    def figures(self, prefix: str) -> dict[str, float]:
        """The usual quantiles in milliseconds, named like receipt_p99_ms."""
        named = {
            f"{prefix}_{name}_ms": round(self.quantile(fraction) * 1000, 3)
            for name, fraction in QUANTILES.items()
        }
        return {**named, f"{prefix}_max_ms": round(self.largest_s * 1000, 3)}
