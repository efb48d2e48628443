"""Which ledgers are left alone for a while because their repair has failed. Pure."""

from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass
from typing import Final

_REMEMBERED: Final = 10_000
"""Failed ledgers; the oldest is forgotten, and tried as if for the first time."""


@dataclass(slots=True)
class _Failure:
    count: int
    until_ms: float


class RepairBackoff(Container[int]):
    """Failures by ledger. `in` says that a ledger is to be left alone at `now_ms`."""

    def __init__(self, pause_ms: float, max_pause_ms: float) -> None:
        self._pause_ms = pause_ms
        self._max_pause_ms = max_pause_ms
        self._failures: OrderedDict[int, _Failure] = OrderedDict()
        self.now_ms = 0.0

    def __contains__(self, ledger_id: object) -> bool:
        failure = self._failures.get(ledger_id) if isinstance(ledger_id, int) else None
        return failure is not None and failure.until_ms > self.now_ms

    def failed(self, ledger_id: int, now_ms: float) -> float:
        """Note a failure; returns for how long the ledger is left alone now."""
        failure = self._failures.pop(ledger_id, None) or _Failure(0, 0)
        pause_ms = min(self._pause_ms * (1 << failure.count), self._max_pause_ms)
        self._failures[ledger_id] = _Failure(min(failure.count + 1, 32), now_ms + pause_ms)
        if len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)
        return pause_ms

    def count(self, ledger_id: int) -> int:
        """How often in a row the repair has failed."""
        failure = self._failures.get(ledger_id)
        return 0 if failure is None else failure.count

    def succeeded(self, ledger_id: int) -> None:
        self._failures.pop(ledger_id, None)

    def retry_now(self) -> None:
        """Something has changed, as a bookie that has come: all may be tried again."""
        for failure in self._failures.values():
            failure.until_ms = 0
