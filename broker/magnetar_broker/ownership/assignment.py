"""Which broker is to get a bundle that nobody has: the one with the least to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from zlib import crc32

if TYPE_CHECKING:
    from magnetar_metadata.load_report import LoadReport

_STEP: Final = 1_000.0
"""What a bundle counts of which nothing is known, in messages per second. Differences below do not
matter: rates differ from one look to the next."""
_BYTES_PER_POINT: Final = 1_024.0
"""So many bytes count as much as a message."""


class Assignment:
    """Chooses, and remembers what it chose until the broker's report has it.

    Scenario: two hundred topics are looked up at one time. Reports come every few seconds, so
    without a memory all of them would go to the one broker that had the least before.

    Args:
        forget_after_ms: a choice that nobody took up by then is none.
        overloaded: who has more in use, 0 to 1, is chosen only if all have.
    """

    def __init__(self, forget_after_ms: int, overloaded: float = 0.85) -> None:
        self._forget_after_ms = forget_after_ms
        self._overloaded = overloaded
        self._chosen: dict[str, tuple[str, int]] = {}  # by bundle: the broker, and when

    def choose(self, bundle: str, reports: Mapping[str, LoadReport], now_ms: int) -> str | None:
        """The broker that is to have a bundle; None if there is no broker.

        The same bundle goes to the same broker while the choice is remembered and the broker there:
        who asks twice gets one answer.

        Args:
            bundle: by its full name.
            reports: of all brokers that are up, by their names.
            now_ms: on the monotonic clock.
        """
        self._settle(reports, now_ms)
        if bundle in self._chosen:
            return self._chosen[bundle][0]
        if not reports:
            return None
        counts = {name: len(report.bundles) for name, report in reports.items()}
        for broker, _ in self._chosen.values():
            counts[broker] += 1
        best = min(reports, key=lambda name: self._rank(bundle, name, counts[name], reports[name]))
        self._chosen[bundle] = (best, now_ms)
        return best

    def prefer(self, bundle: str, broker: str, now_ms: int) -> None:
        """A bundle was chosen for a broker by somebody else."""
        self._chosen[bundle] = (broker, now_ms)

    def _rank(
        self, bundle: str, name: str, count: int, report: LoadReport
    ) -> tuple[bool, int, int, str]:
        points = count * _STEP + report.rate + report.throughput / _BYTES_PER_POINT
        overloaded = report.max_usage > self._overloaded
        return overloaded, int(points / _STEP), crc32(f"{bundle} {name}".encode()), name

    def _settle(self, reports: Mapping[str, LoadReport], now_ms: int) -> None:
        """Forget choices that a report has, or that are old, or of a broker that is gone."""
        oldest_ms = now_ms - self._forget_after_ms
        self._chosen = {
            bundle: (broker, chosen_ms)
            for bundle, (broker, chosen_ms) in self._chosen.items()
            if broker in reports
            and bundle not in reports[broker].bundles
            and chosen_ms >= oldest_ms
        }

    def refused(self, bundle: str) -> None:
        """Somebody else has it: the choice was in vain."""
        self._chosen.pop(bundle, None)
