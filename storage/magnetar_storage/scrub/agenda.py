"""Which ledgers are to be scrubbed, and when. Pure."""

from heapq import heappop, heappush
from typing import Final

from magnetar_storage.scrub.config import ScrubConfig

MAX_LEDGERS: Final = 100_000
"""On the agenda at once; what does not fit is found again by the next pass."""


class ScrubAgenda:
    """Ledgers with damage come first, then those to be tried again, then all of them in a pass."""

    def __init__(self, config: ScrubConfig, now_ms: int) -> None:
        self._config = config
        self._pass_ms = now_ms + config.first_delay_ms
        self._due_ms: dict[int, int] = {}
        self._queue: list[tuple[int, int]] = []  # the same, and what is no longer so
        self._pauses_ms: dict[int, int] = {}

    def __len__(self) -> int:
        """Ledgers that wait for a repair."""
        return len(self._due_ms)

    def suspect(self, ledger_id: int) -> None:
        """Something of this ledger is bad or missing: look at it soon, unless it waits already."""
        if ledger_id not in self._due_ms:
            self._put(ledger_id, 0)

    def failed(self, ledger_id: int, now_ms: int) -> None:
        """It could not be repaired now."""
        pause_ms = self._pauses_ms.get(ledger_id, self._config.retry_ms)
        if self._put(ledger_id, now_ms + pause_ms):
            self._pauses_ms[ledger_id] = min(2 * pause_ms, self._config.max_retry_ms)

    def done(self, ledger_id: int) -> None:
        """Nothing of it is bad or missing."""
        self._due_ms.pop(ledger_id, None)
        self._pauses_ms.pop(ledger_id, None)

    def due(self, now_ms: int) -> int | None:
        """A ledger to look at now; `failed` or `done` is to follow."""
        queue = self._queue
        while queue and self._due_ms.get(queue[0][1]) != queue[0][0]:
            heappop(queue)
        return queue[0][1] if queue and queue[0][0] <= now_ms else None

    def pass_due(self, now_ms: int) -> bool:
        """Whether a pass is to begin; it counts as begun then."""
        if not self._config.interval_ms or now_ms < self._pass_ms:
            return False
        self._pass_ms = now_ms + self._config.interval_ms
        return True

    def pass_failed(self, now_ms: int) -> None:
        """A pass ended early: the next one comes soon."""
        self._pass_ms = now_ms + self._config.max_retry_ms

    def _put(self, ledger_id: int, due_ms: int) -> bool:
        if ledger_id not in self._due_ms and len(self._due_ms) >= MAX_LEDGERS:
            return False
        self._due_ms[ledger_id] = due_ms
        heappush(self._queue, (due_ms, ledger_id))
        return True
