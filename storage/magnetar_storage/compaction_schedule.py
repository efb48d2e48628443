"""When a bookie compacts its entry logs, and how hard."""

import logging
from dataclasses import dataclass

from magnetar_runtime.clock import Clock

from magnetar_storage.engine import BookieEngine

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionConfig:
    """When logs are compacted, by BookKeeper's keys.

    Attributes:
        minor_share, major_share: logs with a smaller share of live bytes are compacted.
        minor_interval_ms, major_interval_ms: how often; 0 is never.
        rate_bytes_per_s: how much is copied in a second at the most.
    """

    minor_share: float = 0.2
    minor_interval_ms: int = 3_600_000
    major_share: float = 0.8
    major_interval_ms: int = 86_400_000
    rate_bytes_per_s: int = 1_000_000


class CompactionSchedule:
    """Says at which share of live bytes a log is to be compacted now. Pure."""

    def __init__(self, config: CompactionConfig, now_ms: int) -> None:
        self._config = config
        self._minor_ms = self._major_ms = now_ms

    def due(self, now_ms: int) -> float:
        """The share; 0 if nothing is due. What it tells counts as begun."""
        config = self._config
        if 0 < config.major_interval_ms <= now_ms - self._major_ms:
            self._major_ms = self._minor_ms = now_ms
            return config.major_share
        if 0 < config.minor_interval_ms <= now_ms - self._minor_ms:
            self._minor_ms = now_ms
            return config.minor_share
        return 0.0


class Compactions:
    """Compacts a bookie when it is due."""

    def __init__(self, bookie: BookieEngine, config: CompactionConfig, clock: Clock) -> None:
        self._bookie = bookie
        self._rate_bytes_per_s = config.rate_bytes_per_s
        self._clock = clock
        self._schedule = CompactionSchedule(config, clock.monotonic_ns() // 1_000_000)

    async def run_due(self) -> None:
        """Compact now if it is due.

        Raises:
            OutOfUseError: a disk failed.
        """
        share = self._schedule.due(self._clock.monotonic_ns() // 1_000_000)
        if share and (count := await self._bookie.compact(share, self._rate_bytes_per_s)):
            _log.info("compacted %d entry logs of which less than %g was alive", count, share)
