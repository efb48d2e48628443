"""Deletes the ledgers of a topic that nothing holds any more, in the background."""

import asyncio
import logging
from collections.abc import Mapping

from magnetar_runtime.scope import TaskScope

from magnetar_ledger.errors import LedgerError
from magnetar_ledger.managed import trim
from magnetar_ledger.managed.config import ManagedLedgerDeps, Retention
from magnetar_ledger.managed.cursor import Cursor
from magnetar_ledger.managed.ledger_chain import LedgerChain
from magnetar_ledger.managed.ledger_reads import LedgerReads

_log = logging.getLogger(__name__)


class Trimmer:
    """One managed ledger's. It rests until `start`."""

    def __init__(
        self,
        chain: LedgerChain,
        reads: LedgerReads,
        cursors: Mapping[str, Cursor],
        deps: ManagedLedgerDeps,
        scope: TaskScope,
    ) -> None:
        self._chain = chain
        self._reads = reads
        self._cursors = cursors
        self._deps = deps
        self._scope = scope
        self._ready = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """All cursors are there: before, what the missing ones hold would look consumed by all."""
        self._ready = True
        self.soon()

    def soon(self) -> None:
        """Something may have become free."""
        if self._ready and (self._task is None or self._task.done()):
            self._task = self._scope.spawn(self._quietly(), name=f"trim {self._chain.name}")

    def abandon(self) -> None:
        """Begin nothing more: another owner does it."""
        self._ready = False

    async def stop(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        self._ready = False
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _quietly(self) -> None:
        try:
            await self.trim(self._deps.config.retention)
        except LedgerError as error:
            _log.warning("%s is not trimmed: %s", self._chain.name, error)

    async def trim(self, retention: Retention) -> None:
        """Delete the ledgers that neither a durable cursor nor `retention` holds.

        Raises:
            LedgerError: they are still there.
        """
        ledgers = self._chain.ledgers
        if not ledgers.ids:
            return
        cursors = self._cursors.values()
        ids = trim.removable(
            self._chain.infos(),
            ledgers.ids[-1],
            trim.slowest(each.mark_delete for each in cursors if each.durable),
            retention,
            self._deps.clock.wall_ms(),
        )
        if not ids:
            return
        removed = await self._chain.remove(ids)
        self._reads.forget(removed)
        for cursor in self._cursors.values():
            cursor.skip_ledgers(ledgers.first_position)
        await self._chain.delete_ledgers(removed)
