"""When how many messages are due at a rate. No loop, no clock: times come in."""


class Pace:
    """So many a second from its beginning; 0 is no bound."""

    def __init__(self, rate_per_s: float, began_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._began_s = began_s

    def due(self, sent: int, now_s: float, most: int) -> int:
        """How many of the next `most` may go now."""
        if self._rate_per_s <= 0:
            return most
        allowed = int((now_s - self._began_s) * self._rate_per_s) + 1
        return max(0, min(most, allowed - sent))

    def wait_s(self, sent: int, now_s: float) -> float:
        """How long until the next one is due."""
        if self._rate_per_s <= 0:
            return 0.0
        return max(0.0, self._began_s + sent / self._rate_per_s - now_s)
