"""Looks at the disks of a bookie now and then, and makes it read-only before one is full."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence

from magnetar_runtime.counters import Family, Kind, Sample
from magnetar_runtime.disk import Disk, DiskSpace, Worker

from magnetar_storage.disk_watch import DiskLimits, DiskWatch

_log = logging.getLogger(__name__)


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
        set_read_only: Callable[[bool], None],
    ) -> None:
        """Args:
        worker: asks the disk; it may be slow.
        set_read_only: told when the bookie is to change.
        """
        self._disk = disk
        self._directories = directories
        self._worker = worker
        self._set_read_only = set_read_only
        self._watch = DiskWatch(limits)
        self.spaces: dict[str, DiskSpace] = {}

    @property
    def read_only(self) -> bool:
        """The bookie is read-only for lack of room."""
        return self._watch.read_only

    async def run(self) -> None:
        """Look until cancelled.

        Raises:
            OSError: a directory cannot be looked at.
        """
        while True:  # noqa: ASYNC110 - there is no event to wait for: disks do not tell
            await asyncio.sleep(await self.check() / 1000)

    async def check(self) -> int:
        """Look once; returns after how many milliseconds to look again.

        Raises:
            OSError: a directory cannot be looked at.
        """
        self.spaces = await self._worker.run(self._measure)
        before = self.read_only
        sight = self._watch.look(self.spaces)
        for is_warning, text in sight.news:
            _log.log(logging.WARNING if is_warning else logging.INFO, "%s", text)
        if sight.read_only != before:
            self._set_read_only(sight.read_only)
        return sight.next_ms

    def _measure(self) -> dict[str, DiskSpace]:
        return {directory: self._disk.space(directory) for directory in self._directories}

    def families(self) -> Iterator[Family]:
        """Metrics: state and room."""
        yield Family(
            "bookie_SERVER_STATUS",
            Kind.GAUGE,
            "1 takes entries, 0 read-only for lack of room on a disk.",
            [Sample({}, int(not self.read_only))],
        )
        free = [Sample({"dir": each}, space.free_bytes) for each, space in self.spaces.items()]
        yield Family(
            "magnetar_bookie_disk_free_bytes", Kind.GAUGE, "Room on the disk of a directory.", free
        )
