"""Looks at the disks of a bookie now and then, so that it stops before one is full."""

import asyncio
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from magnetar_runtime.counters import Family, Kind, Sample
from magnetar_runtime.disk import Disk, DiskSpace, Worker

from magnetar_storage.disk_watch import DiskLimits, DiskWatch, Room

_log = logging.getLogger(__name__)


class WatchedBookie(Protocol):
    """The bookie whose directories are looked at."""

    @property
    def read_only(self) -> bool:
        """It takes no entries."""

    def set_rooms(self, rooms: Mapping[str, Room]) -> None:
        """What each directory that was looked at has room for; others may be among them."""

    def directory_failed(self, path: str, error: OSError) -> bool:
        """A directory cannot be looked at; False if it is none of the bookie's own."""


class DiskMonitor:
    """The shell around `DiskWatch`.

    Attributes:
        spaces: room on the disk of each directory, as of the last look.
    """

    def __init__(
        self,
        disk: Disk,
        directories: Sequence[str],
        limits: DiskLimits,
        worker: Worker,
        bookie: WatchedBookie,
    ) -> None:
        """Args:
        directories: of the bookie, and others without which it can keep nothing (metadata).
        worker: asks the disk; it may be slow.
        """
        self._disk = disk
        self._directories = list(dict.fromkeys(directories))
        self._worker = worker
        self._bookie = bookie
        self._watch = DiskWatch(limits)
        self.spaces: dict[str, DiskSpace] = {}

    async def run(self) -> None:
        """Look until cancelled.

        Raises:
            OSError: a directory that is not the bookie's own cannot be looked at.
        """
        while True:  # noqa: ASYNC110 - there is no event to wait for: disks do not tell
            await asyncio.sleep(await self.check() / 1000)

    async def check(self) -> int:
        """Look once; returns after how many milliseconds to look again.

        Raises:
            OSError: a directory that is not the bookie's own cannot be looked at.
        """
        self.spaces, errors = await self._worker.run(self._measure)
        for directory, error in errors.items():
            self._directories.remove(directory)
            if not self._bookie.directory_failed(directory, error):
                raise error
        sight = self._watch.look(self.spaces)
        for is_warning, text in sight.news:
            _log.log(logging.WARNING if is_warning else logging.INFO, "%s", text)
        self._bookie.set_rooms(sight.rooms)
        return sight.next_ms

    def _measure(self) -> tuple[dict[str, DiskSpace], dict[str, OSError]]:
        spaces: dict[str, DiskSpace] = {}
        errors: dict[str, OSError] = {}
        for directory in self._directories:
            try:
                spaces[directory] = self._disk.space(directory)
            except OSError as error:
                errors[directory] = error
        return spaces, errors

    def families(self) -> Iterator[Family]:
        """Metrics: state and room."""
        yield Family(
            "bookie_SERVER_STATUS",
            Kind.GAUGE,
            "1 takes entries, 0 read-only for lack of room on a disk or by an operator.",
            [Sample({}, int(not self._bookie.read_only))],
        )
        free = [Sample({"dir": each}, space.free_bytes) for each, space in self.spaces.items()]
        yield Family(
            "magnetar_bookie_disk_free_bytes", Kind.GAUGE, "Room on the disk of a directory.", free
        )
        for directory, space in self.spaces.items():
            name = f"bookie_ledger_dir_{re.sub('[^A-Za-z0-9]', '_', directory)}_usage"
            used = 100 * (1 - space.free_bytes / space.total_bytes) if space.total_bytes else 0.0
            yield Family(name, Kind.GAUGE, f"How full {directory} is, in %.", [Sample({}, used)])
