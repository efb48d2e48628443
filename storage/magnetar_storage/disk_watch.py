"""Decides from the room on the disks which directories take entries. Pure.

A disk counts as full while there is still room for what was taken already: the write cache must
come into entry logs, and a restart needs a new journal file. It counts as having room again only
when there is clearly more, so that a directory at the limit does not come and go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from magnetar_runtime.disk import DiskSpace

from magnetar_storage.errors import ConfigError

QUICK_CHECKS: Final = 10
"""So many times as often does one look while a disk is fuller than the warning."""
WARN_FREE_FACTOR: Final = 2
"""Less room than so many times the least is worth a warning."""


class Room(IntEnum):
    """What a directory has room for; more is greater."""

    NONE = 0
    RECOVERY = 1
    """Entries that must be stored again because another bookie lost them, no others."""
    ENTRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskLimits:
    """When a disk is full. Shares are of all bytes of its file system, from 0 to 1.

    Attributes:
        full_share: used share from which on it is full (`diskUsageThreshold`).
        warn_share: used share that is worth a log line (`diskUsageWarnThreshold`).
        low_water_share: used share below which a full disk has room again
            (`diskUsageLwmThreshold`).
        min_free_bytes: with less it is full, whatever the share
            (`minUsableSizeForEntryLogCreation`); it has room again with a quarter more.
        recovery_free_bytes: with less it takes no recovery adds either
            (`minUsableSizeForHighPriorityWrites`); again with a quarter more.
        check_interval_ms: how often to look (`diskCheckInterval`).
    """

    full_share: float = 0.95
    warn_share: float = 0.90
    low_water_share: float = 0.93
    min_free_bytes: int = 0
    recovery_free_bytes: int = 0
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
        rooms: what each directory has room for.
        news: sentences for the log, in order, with whether each is a warning; often none.
        next_ms: when to look again.
    """

    rooms: Mapping[str, Room]
    news: tuple[tuple[bool, str], ...]
    next_ms: int


class DiskWatch:
    """Remembers what each directory had room for."""

    def __init__(self, limits: DiskLimits) -> None:
        self._limits = limits
        self._rooms: dict[str, Room] = {}
        self._warned: set[str] = set()

    def look(self, spaces: Mapping[str, DiskSpace]) -> Sight:
        """Judge the room on the disk of each directory; those not named any more are forgotten."""
        news: list[tuple[bool, str]] = []
        before = self._rooms
        self._rooms = {
            directory: self._room(before.get(directory, Room.ENTRIES), space)
            for directory, space in spaces.items()
        }
        self._warned.intersection_update(spaces)
        for directory, space in spaces.items():
            self._tell_room(directory, before.get(directory, Room.ENTRIES), space, news)
            self._tell_nearly_full(directory, space, news)
        interval_ms = self._limits.check_interval_ms
        hurry = self._warned or any(room < Room.ENTRIES for room in self._rooms.values())
        return Sight(
            self._rooms,
            tuple(news),
            max(1, interval_ms // QUICK_CHECKS) if hurry else interval_ms,
        )

    def _room(self, before: Room, space: DiskSpace) -> Room:
        limits = self._limits
        full_share = limits.full_share if before is Room.ENTRIES else limits.low_water_share
        least = _least(limits.min_free_bytes, back=before < Room.ENTRIES)
        if space.used_share < full_share and space.free_bytes >= least:
            return Room.ENTRIES
        least = _least(limits.recovery_free_bytes, back=before < Room.RECOVERY)
        return Room.RECOVERY if space.free_bytes >= least else Room.NONE

    def _tell_room(
        self, directory: str, before: Room, space: DiskSpace, news: list[tuple[bool, str]]
    ) -> None:
        room, text = self._rooms[directory], _text(directory, space)
        if room is Room.ENTRIES and before < room:
            news.append((False, f"there is room again on the disk of {text}"))
        elif room < Room.ENTRIES and before is Room.ENTRIES:
            news.append((True, f"the disk is full: {text}"))

    def _tell_nearly_full(
        self, directory: str, space: DiskSpace, news: list[tuple[bool, str]]
    ) -> None:
        limits = self._limits
        nearly = space.free_bytes < WARN_FREE_FACTOR * limits.min_free_bytes
        if space.used_share < limits.warn_share and not nearly:
            self._warned.discard(directory)
        elif directory not in self._warned:
            self._warned.add(directory)
            if self._rooms[directory] is Room.ENTRIES:
                news.append((True, f"the disk is nearly full: {_text(directory, space)}"))


def _least(free_bytes: int, *, back: bool) -> int:
    """What must be free: a quarter more for coming back."""
    return free_bytes + free_bytes // 4 if back else free_bytes


def _text(directory: str, space: DiskSpace) -> str:
    return f"{directory} ({space.used_share:.1%} used, {space.free_bytes >> 20} MiB free)"
