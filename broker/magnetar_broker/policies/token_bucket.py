"""How much may pass in a time: tokens that come back steadily."""


class TokenBucket:
    """So many tokens in a period; it holds those of one period at most.

    What has come cannot be sent back, so more may be taken than there are: then it is owed, and
    nothing may come until that is paid.
    """

    def __init__(self, tokens: int, period_ns: int, now_ns: int) -> None:
        assert tokens > 0
        self._rate = tokens
        self._period_ns = period_ns
        self._left_ns = period_ns  # tokens are counted as the time that they take to come back
        self._at_ns = now_ns

    def take(self, tokens: int, now_ns: int) -> None:
        """Take some, whether they are there or not."""
        self._refill(now_ns)
        self._left_ns -= tokens * self._period_ns // self._rate

    def wait_ns(self, now_ns: int) -> int:
        """How long it takes until nothing is owed; 0 if nothing is."""
        self._refill(now_ns)
        return max(-self._left_ns, 0)

    def _refill(self, now_ns: int) -> None:
        self._left_ns = min(self._left_ns + now_ns - self._at_ns, self._period_ns)
        self._at_ns = now_ns
