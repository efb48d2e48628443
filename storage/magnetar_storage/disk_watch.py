"""Decides from the room on the disks whether a bookie takes entries. Pure.

A disk counts as full while there is still room for what was taken already: the write cache must
come into entry logs, and a restart needs a new journal file. It counts as having room again only
below the low-water mark, so that a bookie at the limit does not come and go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from magnetar_runtime.disk import DiskSpace

from magnetar_storage.errors import ConfigError

QUICK_CHECKS: Final = 10
"""So many times as often does one look while a disk is fuller than the warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskLimits:
    """When a disk is full. Shares are of all bytes of its file system, from 0 to 1.

    Attributes:
        full_share: used share from which on it is full (`diskUsageThreshold`).
        warn_share: used share that is worth a log line (`diskUsageWarnThreshold`).
        low_water_share: used share below which a full disk has room again
            (`diskUsageLwmThreshold`).
        min_free_bytes: with less it is full, whatever the share
            (`minUsableSizeForEntryLogCreation`).
        check_interval_ms: how often to look (`diskCheckInterval`).
    """

    full_share: float = 0.95
    warn_share: float = 0.90
    low_water_share: float = 0.95
    min_free_bytes: int = 0
    check_interval_ms: int = 10_000

    def __post_init__(self) -> None:
        if not 0 < self.warn_share <= self.full_share <= 1:
            raise ConfigError("diskUsageWarnThreshold must be at most diskUsageThreshold")
        if not 0 < self.low_water_share <= self.full_share:
            raise ConfigError("diskUsageLwmThreshold must be at most diskUsageThreshold")


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look gave.

    Attributes:
        read_only: the bookie takes no entries.
        news: sentences for the log, in order, with whether each is a warning; often none.
        next_ms: when to look again.
    """

    read_only: bool
    news: tuple[tuple[bool, str], ...]
    next_ms: int


class DiskWatch:
    """Remembers which directories are full.

    One full directory makes the bookie read-only: a ledger stays in its directory, so those that
    are there could not go on.
    """

    def __init__(self, limits: DiskLimits) -> None:
        self._limits = limits
        self._full: set[str] = set()
        self._warned: set[str] = set()

    @property
    def read_only(self) -> bool:
        """As of the last look."""
        return bool(self._full)

    def look(self, spaces: Mapping[str, DiskSpace]) -> Sight:
        """Judge the room on the disk of each directory."""
        before = self.read_only
        news: list[tuple[bool, str]] = []
        for directory, space in spaces.items():
            self._judge(directory, space, news)
        if self.read_only != before:
            news.append(
                (True, "the bookie is read-only: it takes no entries until there is room again")
                if self.read_only
                else (False, "the bookie takes entries again")
            )
        interval_ms = self._limits.check_interval_ms
        hurry = self._full or self._warned
        return Sight(
            self.read_only,
            tuple(news),
            max(1, interval_ms // QUICK_CHECKS) if hurry else interval_ms,
        )

    def _judge(self, directory: str, space: DiskSpace, news: list[tuple[bool, str]]) -> None:
        used, text = space.used_share, _text(directory, space)
        too_little = space.free_bytes < self._limits.min_free_bytes
        if directory in self._full:
            if used < self._limits.low_water_share and not too_little:
                self._full.discard(directory)
                news.append((False, f"there is room again on the disk of {text}"))
        elif used >= self._limits.full_share or too_little:
            self._full.add(directory)
            news.append((True, f"the disk is full: {text}"))
        if used < self._limits.warn_share:
            self._warned.discard(directory)
        elif directory not in self._warned:
            self._warned.add(directory)
            if directory not in self._full:
                news.append((True, f"the disk is nearly full: {text}"))


def _text(directory: str, space: DiskSpace) -> str:
    return f"{directory} ({space.used_share:.1%} used, {space.free_bytes >> 20} MiB free)"
