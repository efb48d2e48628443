"""The replication worker: takes marked ledgers one by one and repairs them."""

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from magnetar_metadata.bookie_registry import BookieRegistry
from magnetar_metadata.errors import MetadataError
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.repair_locks import RepairLock, RepairLocks
from magnetar_metadata.store import MetadataStore
from magnetar_metadata.underreplication import Underreplication
from magnetar_runtime.scope import TaskScope

from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.errors import LedgerError, NoSuchLedgerError
from magnetar_ledger.repair.backoff import RepairBackoff
from magnetar_ledger.repair.bookie_replacement import BookieReplacement
from magnetar_ledger.repair.config import RepairConfig
from magnetar_ledger.repair.ledger_repair import LedgerRepair, WriterHasTime

log = logging.getLogger(__name__)

_TELL_TIMEOUT_MS: Final = 2_000
"""An end does not wait for a metadata store that is away: locks go with the session."""


@dataclass(slots=True)
class WorkerCounters:
    """What a worker has done since it began."""

    repaired: int = 0
    failed: int = 0


class ReplicationWorker:
    """Repairs marked ledgers until it is cancelled. Any number may work on one cluster.

    Args:
        name: who it is, for people who look at its locks.
    """

    def __init__(
        self,
        store: MetadataStore,
        tools: ClientTools,
        name: str,
        config: RepairConfig | None = None,
        ledgers_root: str = LEDGERS_ROOT,
    ) -> None:
        self._config = config = config or RepairConfig()
        self._tools = tools
        self._marked = Underreplication(store, tools.clock, ledgers_root)
        self._locks = RepairLocks(store, name, ledgers_root)
        self._bookies = BookieRegistry(store, ledgers_root)
        replacement = BookieReplacement(store, self._locks, tools, ledgers_root)
        self._repair = LedgerRepair(tools, self._bookies, replacement, config)
        self._backoff = RepairBackoff(config.retry_pause_ms, config.max_retry_pause_ms)
        self._copying = asyncio.Semaphore(config.max_repairs)
        self._held: set[int] = set()
        self._changed = asyncio.Event()
        self.counters = WorkerCounters()

    @property
    def entries_copied(self) -> int:
        return self._repair.copier.entries_copied

    @property
    def bytes_copied(self) -> int:
        return self._repair.copier.bytes_copied

    async def run(self) -> None:
        """Work until cancelled. Errors of bookies and of the store are waited out."""
        ends = [
            self._marked.watch(lambda _: self._changed.set()),
            self._bookies.watch(self._bookies_changed),
        ]
        try:
            async with TaskScope() as scope:
                while True:
                    await self._turn(scope)
        finally:
            for end in ends:
                end()

    async def _turn(self, scope: TaskScope) -> None:
        """Begin one repair, or wait until there may be one."""
        self._changed.clear()
        lock = None
        async with self._copying:  # not more is locked than can be begun
            try:
                lock = await self._take()
            except MetadataError as error:
                log.warning("ledgers that lack replicas are not seen: %s", error)
        if lock is not None:
            self._held.add(lock.ledger_id)
            scope.spawn(self._work(lock), name=f"repair of ledger {lock.ledger_id}")
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._config.retry_pause_ms / 1000):
                await self._changed.wait()

    async def _take(self) -> RepairLock | None:
        config = self._config
        if len(self._held) >= config.max_repairs + config.max_waiting_repairs:
            return None
        if not await self._marked.enabled():
            return None
        self._backoff.now_ms = self._now_ms()
        return await self._locks.take_any(self._tools.rng, self._backoff)

    async def _work(self, lock: RepairLock) -> None:
        ledger_id = lock.ledger_id
        try:
            await self._make_whole(lock)
            await self._done(lock)
        except NoSuchLedgerError:
            await self._tell(self._done(lock))
        except (LedgerError, MetadataError) as error:
            self.counters.failed += 1
            pause_ms = self._backoff.failed(ledger_id, self._now_ms())
            log.warning("ledger %d again in %.1f s: %s", ledger_id, pause_ms / 1000, error)
        finally:
            await self._tell(self._locks.release(lock))
            self._held.discard(ledger_id)
            self._changed.set()

    async def _make_whole(self, lock: RepairLock) -> None:
        silent_are_lost = self._backoff.count(lock.ledger_id) + 1 >= self._config.silent_attempts
        async with self._copying:
            result = await self._repair.repair(lock, silent_are_lost=silent_are_lost)
        while isinstance(result, WriterHasTime):
            await asyncio.sleep(self._config.open_ledger_grace_ms / 1000)
            async with self._copying:
                result = await self._repair.close_abandoned(lock, result)

    async def _done(self, lock: RepairLock) -> None:
        """The ledger needs nothing more of what was known when the lock was taken."""
        await self._marked.remove(lock.ledger_id, lock.marker_version)
        self._backoff.succeeded(lock.ledger_id)
        self.counters.repaired += 1

    async def _tell(self, call: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(_TELL_TIMEOUT_MS / 1000):
                await call
        except (MetadataError, TimeoutError) as error:
            log.warning("the end of a repair was not noted: %r", error)

    def _bookies_changed(self, _: str) -> None:
        self._backoff.retry_now()
        self._changed.set()

    def _now_ms(self) -> float:
        return self._tools.clock.monotonic_ns() / 1_000_000
