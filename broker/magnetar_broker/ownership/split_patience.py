"""Which bundles are not asked to be split again yet, as they were refused just now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_FIRST_PAUSE_MS: Final = 10_000
_LONGEST_PAUSE_MS: Final = 30 * 60_000


class SplitPatience:
    """The leader's. Times are of the monotonic clock.

    Scenario: a bundle is too large and cannot be split, for its owner says so, or does not answer.
    It is in each report, and would be asked for every few seconds for ever.
    """

    def __init__(self) -> None:
        self._refused: dict[str, tuple[int, int]] = {}  # by bundle: pause, and until when

    def ready(self, large: Iterable[str], now_ms: int) -> list[str]:
        """Those of the bundles that are too large that may be asked for.

        What is not too large any more is forgotten.
        """
        bundles = list(large)
        self._refused = {each: self._refused[each] for each in bundles if each in self._refused}
        return [each for each in bundles if self._refused.get(each, (0, now_ms))[1] <= now_ms]

    def refused(self, bundle: str, now_ms: int) -> None:
        """It was not split: the next attempt comes twice as late as the one before."""
        pause_ms = min(2 * self._refused.get(bundle, (0, 0))[0], _LONGEST_PAUSE_MS)
        pause_ms = pause_ms or _FIRST_PAUSE_MS
        self._refused[bundle] = (pause_ms, now_ms + pause_ms)
