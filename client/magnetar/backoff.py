"""How long to wait before something is tried again."""

import random
from typing import Final

_JITTER: Final = 0.2


class Backoff:
    """Waits that double up to a bound, each a little shorter by chance.

    Many clients lose the same broker at once; chance keeps them from coming back at once.

    Args:
        first_ms: the first wait.
        max_ms: no wait is longer.
        rng: where chance comes from.
    """

    def __init__(self, first_ms: int, max_ms: int, rng: random.Random) -> None:
        self._first_ms = first_ms
        self._max_ms = max_ms
        self._rng = rng
        self._next_ms = first_ms

    def next_ms(self) -> float:
        """The next wait."""
        wait_ms = self._next_ms
        self._next_ms = min(2 * wait_ms, self._max_ms)
        return wait_ms * (1 - _JITTER * self._rng.random())

    def reset(self) -> None:
        """Begin with the first wait again."""
        self._next_ms = self._first_ms
