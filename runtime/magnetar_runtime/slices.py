"""Long work on the loop, in slices that no connection notices."""

import asyncio
from typing import Final

from magnetar_runtime.clock import Clock

SLICE_NS: Final = 1_000_000


class Slices:
    """Counts the time of a slice; `breathe` lets others run when it is used up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun_ns = clock.monotonic_ns()

    async def breathe(self) -> None:
        """Call it between steps that each take far less than a slice."""
        if self._clock.monotonic_ns() - self._begun_ns >= SLICE_NS:
            await asyncio.sleep(0)
            self._begun_ns = self._clock.monotonic_ns()

    def begin(self) -> None:
        """Begin a slice now: others ran meanwhile."""
        self._begun_ns = self._clock.monotonic_ns()
