"""The longest times in which the loop did nothing else: late timers and collector pauses."""

import asyncio
import gc
from typing import Any, Literal

from magnetar_runtime.clock import Clock
from magnetar_runtime.counters import Counters


class LoopStallMeter:
    """A timer that notices how late it is called."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Clock, interval_ms: int = 50
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._interval_ms = interval_ms
        self._handle: asyncio.TimerHandle | None = None
        self._due_ns = 0
        self.longest_us = 0

    def start(self) -> None:
        """Begin to measure; the first tick comes after one interval."""
        self._due_ns = self._clock.monotonic_ns() + self._interval_ms * 1_000_000
        self._handle = self._loop.call_later(self._interval_ms / 1000, self._tick)

    def stop(self) -> None:
        """End the timer; `longest_us` stays."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def register(self, counters: Counters) -> None:
        """Publish as `magnetar_loop_stall_longest_us`."""
        counters.gauge(
            "magnetar_loop_stall_longest_us",
            "Longest lateness of a timer since the start, in microseconds.",
            lambda: self.longest_us,
        )

    def _tick(self) -> None:
        late_us = (self._clock.monotonic_ns() - self._due_ns) // 1000
        self.longest_us = max(self.longest_us, late_us)
        self.start()


class CollectorPauseMeter:
    """The longest run of the garbage collector."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_ns = 0
        self.longest_us = 0

    def start(self) -> None:
        """Hook into the collector of this interpreter."""
        gc.callbacks.append(self._noticed)

    def stop(self) -> None:
        """Leave the collector alone again; `longest_us` stays."""
        if self._noticed in gc.callbacks:
            gc.callbacks.remove(self._noticed)

    def register(self, counters: Counters) -> None:
        """Publish as `magnetar_collector_pause_longest_us`."""
        counters.gauge(
            "magnetar_collector_pause_longest_us",
            "Longest pause of the garbage collector since the start, in microseconds.",
            lambda: self.longest_us,
        )

    def _noticed(self, phase: Literal["start", "stop"], info: dict[str, Any]) -> None:
        if phase == "start":
            self._began_ns = self._clock.monotonic_ns()
        else:
            pause_us = (self._clock.monotonic_ns() - self._began_ns) // 1000
            self.longest_us = max(self.longest_us, pause_us)
