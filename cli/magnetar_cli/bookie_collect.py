"""Garbage collection that an operator asks for, beside the one that comes by itself."""

import logging
from collections.abc import Awaitable, Callable

from magnetar_runtime.scope import TaskScope
from magnetar_storage.compaction_schedule import CompactionConfig
from magnetar_storage.engine import BookieEngine
from magnetar_storage.errors import StorageError

log = logging.getLogger(__name__)


class ForcedCollection:
    """One at a time.

    Attributes:
        running: one is under way.
    """

    def __init__(
        self,
        scope: TaskScope,
        bookie: BookieEngine,
        collect: Callable[[], Awaitable[None]],
        config: CompactionConfig,
    ) -> None:
        """Args: `collect` deletes the ledgers that metadata has deleted."""
        self._scope = scope
        self._bookie = bookie
        self._collect = collect
        self._config = config
        self.running = False

    def start(self, *, minor: bool, major: bool) -> None:
        """Begin, unless one is under way.

        Args:
            minor, major: compact as these would, if they are not turned off.
        """
        if self.running:
            return
        self.running = True
        share = self._share(minor=minor, major=major)
        self._scope.spawn(self._run(share), name="forced garbage collection")

    def _share(self, *, minor: bool, major: bool) -> float:
        config = self._config
        if major and config.major_interval_ms:
            return config.major_share
        return config.minor_share if minor and config.minor_interval_ms else 0.0

    async def _run(self, share: float) -> None:
        try:
            await self._collect()
            count = await self._bookie.compact(share, self._config.rate_bytes_per_s) if share else 0
            log.info("garbage was collected for an operator, %d entry logs were compacted", count)
        except StorageError as error:
            log.warning("garbage was not collected as an operator wanted: %s", error)
        finally:
            self.running = False
