"""The brokers of the cluster as this one knows them: who is up, who leads, who gets a bundle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from magnetar_broker.ownership.assignment import Assignment

if TYPE_CHECKING:
    from magnetar_metadata.broker_addresses import LeaderRecord
    from magnetar_metadata.broker_registration import BrokerRegistry
    from magnetar_metadata.leader_election import LeaderElection
    from magnetar_metadata.load_report import LoadReport
    from magnetar_metadata.namespace_bundles import Bundle
    from magnetar_runtime.clock import Clock

log = logging.getLogger(__name__)

REPORTS_KEPT_MS: Final = 1_000
CHOICES_KEPT_MS: Final = 30_000


class BrokerDirectory:
    """What is read is kept for a second, or until a broker comes or goes."""

    def __init__(
        self,
        registry: BrokerRegistry,
        election: LeaderElection,
        broker_id: str,
        clock: Clock,
        overloaded: float = 0.85,
    ) -> None:
        self.broker_id = broker_id
        self._registry = registry
        self._election = election
        self._clock = clock
        self._assignment = Assignment(CHOICES_KEPT_MS, overloaded)
        self._reports: Mapping[str, LoadReport] = {}
        self._read_ms: int | None = None
        self._reading = asyncio.Lock()
        self._end_watch: Callable[[], None] | None = None

    def start(self) -> None:
        """Follow who comes and goes."""
        self._end_watch = self._registry.watch(self.forget)

    def close(self) -> None:
        if self._end_watch is not None:
            self._end_watch()

    def forget(self) -> None:
        """Somebody came or went: read again before the next choice."""
        self._read_ms = None

    async def reports(self) -> Mapping[str, LoadReport]:
        """Of all brokers that are up, by name."""
        async with self._reading:  # who comes meanwhile waits for the same
            now_ms = self._now_ms()
            if self._read_ms is None or now_ms - self._read_ms >= REPORTS_KEPT_MS:
                self._read_ms = now_ms  # before: a hint that comes meanwhile takes it back
                try:
                    self._reports = await self._registry.reports()
                except BaseException:
                    self._read_ms = None
                    raise
            return self._reports

    async def leader(self) -> LeaderRecord | None:
        """Who leads, if that broker is up."""
        leader = await self._election.leader()
        if leader is None or leader.broker_id not in await self.reports():
            return None
        return leader

    async def choose(self, bundle: Bundle, *, without: str | None = None) -> LoadReport | None:
        """The broker that is to have a bundle; None if there is none.

        Args:
            without: a broker that is not to have it.
        """
        reports = {name: each for name, each in (await self.reports()).items() if name != without}
        best = self._assignment.choose(str(bundle), reports, self._now_ms())
        return None if best is None else reports[best]

    def prefer(self, bundle: str, broker: str) -> None:
        """Whoever asks for a bundle soon, by its full name, is sent to that broker."""
        self._assignment.prefer(bundle, broker, self._now_ms())

    def refused(self, bundle: Bundle) -> None:
        """The broker that was chosen did not get it."""
        self._assignment.refused(str(bundle))

    def _now_ms(self) -> int:
        return self._clock.monotonic_ns() // 1_000_000
