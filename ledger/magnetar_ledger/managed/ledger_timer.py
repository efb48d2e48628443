"""The age of the ledger that is written, and the timer for the next moment at which it matters."""

import asyncio
from collections.abc import Callable

from magnetar_runtime.clock import Clock

from magnetar_ledger.managed import roll_over
from magnetar_ledger.managed.config import ManagedLedgerConfig


class LedgerTimer:
    """Calls `passed` when time alone may have changed what `roll_over` says; once per `start`."""

    __slots__ = ("_began_ms", "_clock", "_config", "_passed", "_timer")

    def __init__(
        self, clock: Clock, config: ManagedLedgerConfig, passed: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._config = config
        self._passed = passed
        self._began_ms = 0
        self._timer: asyncio.TimerHandle | None = None

    def now_ms(self) -> int:
        """Monotonic time."""
        return self._clock.monotonic_ns() // 1_000_000

    @property
    def age_ms(self) -> int:
        """Since `begin`."""
        return self.now_ms() - self._began_ms

    def begin(self) -> None:
        """A ledger begins, or one that is as good as new."""
        self._began_ms = self.now_ms()

    def start(self) -> None:
        """Call at the next moment that matters, if there is one."""
        wait_ms = roll_over.next_check_ms(self.age_ms, self._config)
        if wait_ms is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(wait_ms / 1000, self._fire)

    def stop(self) -> None:
        """Do not call any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self._passed()
