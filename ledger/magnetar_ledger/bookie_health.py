"""Which bookies have failed so often lately that new ensembles do without them."""

from collections import deque
from collections.abc import Mapping

from magnetar_proto.bookie import Status

from magnetar_ledger.config import LedgerClientConfig

_HEALTHY = (Status.OK, Status.NO_ENTRY, Status.NO_LEDGER, Status.FENCED, Status.UNAUTHORIZED)
"""Answers of a bookie that works, whatever they mean for who asked."""


class BookieHealth:
    """Counts failed calls by bookie. Times are milliseconds of a monotonic clock."""

    def __init__(self, config: LedgerClientConfig) -> None:
        self._config = config
        self._errors: dict[str, deque[float]] = {}
        self._until: dict[str, float] = {}

    def answered(self, bookie_id: str, status: Status, now_ms: float) -> None:
        """Note how a call on a bookie ended."""
        config = self._config
        if status in _HEALTHY or config.quarantine_errors == 0:
            return
        errors = self._errors.setdefault(bookie_id, deque(maxlen=config.quarantine_errors))
        errors.append(now_ms)
        if len(errors) == errors.maxlen and errors[0] > now_ms - config.quarantine_interval_ms:
            self._until[bookie_id] = now_ms + config.quarantine_ms

    def quarantined(self, now_ms: float) -> frozenset[str]:
        """Bookies to be avoided where there are others."""
        if self._until:
            self._until = _later(self._until, now_ms)
        return frozenset(self._until)


def _later(times: Mapping[str, float], now_ms: float) -> dict[str, float]:
    return {bookie_id: until for bookie_id, until in times.items() if until > now_ms}
