"""What every operation of the ledger client works with."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_proto.bookie import Status
from magnetar_runtime.clock import Clock
from magnetar_runtime.scope import TaskScope

from magnetar_ledger.bookie_health import BookieHealth
from magnetar_ledger.bookie_pool import BookiePool
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.errors import NotEnoughBookiesError
from magnetar_ledger.placement import Placement


@dataclass(frozen=True, slots=True)
class ClientTools:
    """The same for all ledgers of a client."""

    registry: LedgerRegistry
    bookies: BookiePool
    placement: Placement
    rng: random.Random
    clock: Clock
    scope: TaskScope
    config: LedgerClientConfig
    health: BookieHealth

    async def choose(
        self, count: int, avoided: Collection[str], kept: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """As `Placement.choose`; bookies in quarantine only if there are too few others."""
        if quarantined := self.quarantined():
            try:
                return await self.placement.choose(
                    count, quarantined.union(avoided), self.rng, kept=kept
                )
            except NotEnoughBookiesError:
                pass
        return await self.placement.choose(count, avoided, self.rng, kept=kept)

    def answered(self, bookie_id: str, status: Status) -> None:
        """Note how a call on a bookie ended, if not well."""
        self.health.answered(bookie_id, status, self._now_ms())

    def quarantined(self) -> frozenset[str]:
        return self.health.quarantined(self._now_ms())

    def _now_ms(self) -> float:
        return self.clock.monotonic_ns() / 1_000_000
