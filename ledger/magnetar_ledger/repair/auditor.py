"""The auditor: one of the cluster, elected, that finds ledgers which lack replicas and marks them.

It marks on what it has seen of bookies and ledgers, never because the metadata store could not
tell: an error ends the round, and the next one begins from the start.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from magnetar_metadata.auditor_election import AuditorElection
from magnetar_metadata.bookie_registry import BookieRegistry
from magnetar_metadata.errors import MetadataError
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.store import MetadataStore
from magnetar_metadata.together import all_of
from magnetar_metadata.underreplication import Underreplication
from magnetar_runtime.scope import TaskScope

from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.repair.bookie_losses import BookieLosses
from magnetar_ledger.repair.config import RepairConfig
from magnetar_ledger.repair.fragments import bookies_needed
from magnetar_ledger.repair.ledger_check import LedgerCheck
from magnetar_ledger.repair.ledger_walk import all_ledgers

log = logging.getLogger(__name__)

_LONGEST_WAIT_MS: Final = 3_600_000
_SWITCHED_OFF_WAIT_MS: Final = 60_000
_WITHDRAW_TIMEOUT_MS: Final = 2_000
"""An end does not wait for a metadata store that is away."""


class Auditor:
    """A candidate that does the auditor's work while it leads, until it is cancelled.

    Attributes:
        leading: whether it is the auditor now, as far as it knows.
        ledgers_marked: since it was made.
    """

    def __init__(
        self,
        store: MetadataStore,
        tools: ClientTools,
        bookie_id: str,
        config: RepairConfig | None = None,
        ledgers_root: str = LEDGERS_ROOT,
    ) -> None:
        self._config = config = config or RepairConfig()
        self._tools = tools
        self._bookies = BookieRegistry(store, ledgers_root)
        self._marked = Underreplication(store, tools.clock, ledgers_root)
        self._election = AuditorElection(store, bookie_id, ledgers_root)
        self._losses = BookieLosses(config.mass_loss_delay_ms)
        self._changed = asyncio.Event()
        self._next_check_ms = 0.0
        self.leading = False
        self.ledgers_marked = 0
        store.when_session_ends(self._store_was_away)

    async def run(self) -> None:
        """Be a candidate, and the auditor when elected, until cancelled."""
        try:
            while True:
                await self._election.won()
                log.info("this is the auditor now")
                self.leading = True
                await self._lead_until_lost()
                self.leading = False
        finally:
            self.leading = False
            with suppress(MetadataError, TimeoutError):  # the vote goes with the session
                async with asyncio.timeout(_WITHDRAW_TIMEOUT_MS / 1000):
                    await self._election.withdraw()

    async def _lead_until_lost(self) -> None:
        self._losses = BookieLosses(self._config.mass_loss_delay_ms)
        self._next_check_ms = 0.0
        async with TaskScope() as scope:
            duties = [
                scope.spawn(self._watch_bookies(), name="auditor: bookies"),
                scope.spawn(self._check_ledgers(), name="auditor: ledgers"),
            ]
            await self._election.lost()
            for duty in duties:
                duty.cancel()

    async def _watch_bookies(self) -> None:
        ends = [source.watch(self._hint) for source in (self._bookies, self._marked)]
        try:
            # Sessions may have ended with the one of the auditor before: time to come back.
            await asyncio.sleep(self._config.settle_ms / 1000)
            while True:
                self._changed.clear()
                wait_ms = await self._look_at_bookies()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_ms / 1000):
                        await self._changed.wait()
        finally:
            for end in ends:
                end()

    async def _look_at_bookies(self) -> float:
        """Mark what is due; returns when to look again, if no hint comes."""
        try:
            if not await self._marked.enabled():
                return _LONGEST_WAIT_MS
            delay_s = await self._marked.lost_bookie_recovery_delay_s(
                self._config.lost_bookie_recovery_delay_s
            )
            registered = await self._bookies.registered()
            now_ms = self._now_ms()
            self._losses.observed(registered, now_ms)
            delay_ms = max(delay_s * 1000, self._config.min_absence_ms)
            due_ms = self._due_ms(delay_ms)
            if due_ms <= now_ms:
                await self.audit(delay_ms)
                due_ms = self._due_ms(delay_ms)
        except MetadataError as error:
            log.warning("bookies cannot be looked after now: %s", error)
            return self._config.retry_pause_ms
        return min(max(due_ms - self._now_ms(), 0), _LONGEST_WAIT_MS)

    def _due_ms(self, delay_ms: float) -> float:
        lost_ms = self._losses.next_ms(delay_ms)
        return self._next_check_ms if lost_ms is None else min(lost_ms, self._next_check_ms)

    async def audit(self, delay_ms: float) -> None:
        """Look through all metadata for bookies that are lost, and mark their ledgers.

        Args:
            delay_ms: how long a bookie must have been missing.

        Raises:
            MetadataError: not all was seen; nothing was marked for what was not.
        """
        before = await self._bookies.registered()
        named: dict[str, list[int]] = {}
        async for part in all_ledgers(self._tools.registry):
            for ledger_id, metadata in part:
                for bookie_id in bookies_needed(metadata) - before:
                    named.setdefault(bookie_id, []).append(ledger_id)
        registered = await self._bookies.registered()
        now_ms = self._now_ms()
        self._losses.observed(registered, now_ms)
        self._losses.named(named, now_ms)
        self._losses.forget(self._losses.missing - named.keys() - before)
        lost = self._losses.lost(delay_ms, now_ms)
        if await self._marked.enabled():
            await self._mark({b: ids for b, ids in named.items() if b in lost})
            self._losses.audited(lost - before)  # what went meanwhile is for the next time
        self._next_check_ms = now_ms + self._config.bookie_check_interval_s * 1000

    async def _mark(self, ledgers: dict[str, list[int]]) -> None:
        if not ledgers:
            return
        missing: dict[int, list[str]] = {}
        for bookie_id, ledger_ids in ledgers.items():
            log.warning("bookie %s is lost; %d ledgers need it", bookie_id, len(ledger_ids))
            for ledger_id in ledger_ids:
                missing.setdefault(ledger_id, []).append(bookie_id)
        await all_of(sorted(missing), lambda e: self._marked.mark(e, missing[e]))
        self.ledgers_marked += len(missing)

    async def _check_ledgers(self) -> None:
        """All ledgers by reading, whenever the interval since the last time is over."""
        interval_ms = self._config.ledger_check_interval_s * 1000
        while interval_ms > 0:
            try:
                last_ms = await self._marked.last_check_ms()
                now_ms = self._tools.clock.wall_ms()
                wait_ms = 0 if last_ms is None else last_ms + interval_ms - now_ms
                if wait_ms <= 0 and not await self._marked.enabled():
                    wait_ms = _SWITCHED_OFF_WAIT_MS
                elif wait_ms <= 0:
                    await self.check_ledgers()
                    wait_ms = interval_ms
            except MetadataError as error:
                log.warning("ledgers cannot be checked now: %s", error)
                wait_ms = self._config.retry_pause_ms
            await asyncio.sleep(min(wait_ms, _LONGEST_WAIT_MS) / 1000)

    async def check_ledgers(self) -> None:
        """Read from the replicas of all ledgers, and mark those that lack entries.

        Raises:
            MetadataError: not all were seen.
        """
        check = LedgerCheck(self._tools, self._config, await self._bookies.registered())
        async for part in all_ledgers(self._tools.registry):
            for ledger_id, metadata in part:
                bad = await check.bad_bookies(ledger_id, metadata)
                if bad and await self._is_there(ledger_id):
                    log.warning("ledger %d lacks entries on %s", ledger_id, sorted(bad))
                    await self._marked.mark(ledger_id, sorted(bad))
                    self.ledgers_marked += 1
        await self._marked.checked(self._tools.clock.wall_ms())

    async def _is_there(self, ledger_id: int) -> bool:
        """Whether it was not deleted just now, which is why it lacks entries."""
        return await self._tools.registry.read(ledger_id) is not None

    def _hint(self, _: str) -> None:
        self._changed.set()

    def _store_was_away(self, _: int) -> None:
        self._losses.restart(self._now_ms())

    def _now_ms(self) -> float:
        return self._tools.clock.monotonic_ns() / 1_000_000
