"""A bound on entries or bytes per second."""

import asyncio

from magnetar_runtime.clock import Clock


class RateLimit:
    """Spends what was allowed so far and sleeps for the rest; at most a second's worth is saved.

    Args:
        per_s: how much in a second; 0 = no bound.
    """

    def __init__(self, per_s: int, clock: Clock) -> None:
        self._per_s = per_s
        self._clock = clock
        self._free_at_ns = clock.monotonic_ns()

    async def spend(self, amount: int) -> None:
        """Wait until so much more is allowed; a large amount is paid for by those after it."""
        if self._per_s <= 0:
            return
        now_ns = self._clock.monotonic_ns()
        start_ns = max(self._free_at_ns, now_ns - 1_000_000_000)
        self._free_at_ns = start_ns + amount * 1_000_000_000 // self._per_s
        if start_ns > now_ns:
            await asyncio.sleep((start_ns - now_ns) / 1_000_000_000)
