"""Percentiles of many times in little memory. No loop, no clock."""

import math
from typing import Final

_STEP: Final = math.log(1.01)  # a bucket is 1 % wide
_LEAST_MS: Final = 0.001
PERCENTILES: Final = (50.0, 95.0, 99.0, 99.9)


class Latencies:
    """Counts in buckets that grow by 1 %."""

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._sum_ms = 0.0
        self.count = 0
        self.max_ms = 0.0

    def add(self, latency_ms: float) -> None:
        """One more."""
        bucket = int(math.log(max(latency_ms, _LEAST_MS) / _LEAST_MS) / _STEP)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._sum_ms += latency_ms
        self.count += 1
        self.max_ms = max(self.max_ms, latency_ms)

    def percentile_ms(self, percent: float) -> float:
        """No more than so many percent are faster than this, to 1 %."""
        left = math.ceil(self.count * percent / 100)
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return min(_LEAST_MS * math.exp((bucket + 1) * _STEP), self.max_ms)
        return self.max_ms

    def figures(self) -> dict[str, float]:
        """Mean, percentiles and maximum, in ms."""
        if not self.count:
            return {}
        named = {f"p{percent:g}_ms": self.percentile_ms(percent) for percent in PERCENTILES}
        figures = {"mean_ms": self._sum_ms / self.count, **named, "max_ms": self.max_ms}
        return {name: round(value, 3) for name, value in figures.items()}
