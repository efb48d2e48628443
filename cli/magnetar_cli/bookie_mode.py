"""A bookie that an operator makes read-only, for as long as he wants it so."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Final

from magnetar_metadata.bookie_registration import BookieRegistration
from magnetar_runtime.clock import Clock
from magnetar_runtime.disk import Disk
from magnetar_runtime.settings_bookie import BookieServiceSettings
from magnetar_storage.engine import BookieEngine
from magnetar_storage.status_files import read_status, write_status

log = logging.getLogger(__name__)

TELL_TIMEOUT_MS: Final = 5_000
"""So long an operator waits at the most until the cluster knows; it is told later then."""


class BookieMode:
    """Read-only or not, kept in the directories and told to the cluster.

    Attributes:
        registration: how the cluster is told; None until the bookie is registered.
    """

    def __init__(
        self,
        bookie: BookieEngine,
        settings: BookieServiceSettings,
        directories: Sequence[str],
        disk: Disk,
        clock: Clock,
    ) -> None:
        """Args: `directories` are those of ledgers."""
        self._bookie = bookie
        self._settings = settings
        self._directories = directories
        self._disk = disk
        self._clock = clock
        self.registration: BookieRegistration | None = None

    @property
    def read_only(self) -> bool:
        """Whether no entries are taken, for whatever reason."""
        return self._bookie.read_only

    async def begin(self) -> None:
        """What an earlier process was told, or the configuration says.

        Raises:
            OSError: a ledger directory cannot be read.
        """
        asked = self._settings.force_read_only
        if self._settings.persist_status and not asked:
            read = partial(read_status, self._disk, self._directories)
            asked = await asyncio.to_thread(read)
        self._bookie.ask_read_only(asked)

    def refusal(self, *, read_only: bool) -> str | None:
        """Why an operator may not have it so; None if he may."""
        if read_only and not self._settings.read_only_mode_enabled:
            return "Bookie is disabled ReadOnly mode, cannot transit to readOnly mode"
        if not read_only and self._settings.force_read_only:
            return "Bookie is in forceReadOnly mode, cannot transit to writable mode"
        return None

    async def set_read_only(self, read_only: bool) -> None:
        """Refuse ordinary adds, or take them again; returns when the cluster knows, if it can."""
        if read_only != self._bookie.asked_read_only:
            self._bookie.ask_read_only(read_only)
            log.warning("an operator made the bookie %s", "read-only" if read_only else "writable")
            if self._settings.persist_status:
                await self._keep(read_only)
        self.follow()
        if self.registration is not None and not await self.registration.told(TELL_TIMEOUT_MS):
            log.warning("the cluster is not told yet that the bookie's mode has changed")

    def follow(self) -> None:
        """Tell the cluster how it is, soon."""
        if self.registration is not None:
            self.registration.set_read_only(self._bookie.read_only)

    async def _keep(self, read_only: bool) -> None:
        write = partial(
            write_status,
            self._disk,
            self._directories,
            self._clock.wall_ms(),
            read_only=read_only,
        )
        try:
            await asyncio.to_thread(write)
        except OSError as error:
            # What counts is done; only a restart will not know of it.
            log.warning("a restart will forget the bookie's mode: %s", error)
