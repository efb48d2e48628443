"""A broker as one of a cluster: up, in a session, a candidate, and sure of what it owns.

A session's life: registered, bundles taken one by one as clients ask, lost all together when it
ends. Then another begins, and the broker is registered again; its topics are opened anew by whoever
is asked for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from magnetar_ledger.errors import ManagedLedgerFencedError
from magnetar_metadata.broker_addresses import LeaderRecord
from magnetar_metadata.broker_registration import BrokerRegistry
from magnetar_metadata.bundle_nodes import BundleNodes
from magnetar_metadata.errors import MetadataError
from magnetar_metadata.leader_election import LeaderElection
from magnetar_runtime.bugs import report_bug
from magnetar_runtime.host_usage import HostUsage
from magnetar_runtime.scope import TaskScope, periodically

from magnetar_broker.ownership.balance_options import BalanceOptions
from magnetar_broker.ownership.balancer import Balancer
from magnetar_broker.ownership.broker_directory import BrokerDirectory
from magnetar_broker.ownership.cluster_ownership import ClusterOwnership
from magnetar_broker.ownership.load_reporter import LoadReporter, tells_the_same
from magnetar_broker.ownership.owner_probes import OwnerProbes
from magnetar_broker.ownership.pause_guard import PauseGuard

if TYPE_CHECKING:
    from magnetar_metadata.load_report import LoadReport
    from magnetar_metadata.namespace_bundles import Bundle
    from magnetar_metadata.store import MetadataStore
    from magnetar_runtime.network import Network

    from magnetar_broker.service import BrokerService

log = logging.getLogger(__name__)

RETRY_DELAY_MS: Final = 500
_NO_SESSION: Final = -1
LEFT_AT_ONCE: Final = 16
"""Bundles that are handed over side by side."""
_BEATS_PER_SESSION: Final = 12
_PAUSES_PER_SESSION: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """How a broker is one of several.

    Attributes:
        session_timeout_ms: Of the metadata store.
        report_interval_ms: A changed load is told so often
            (`loadBalancerReportUpdateMinIntervalMillis`).
        report_anyway_ms: One that has not changed is told so often
            (`loadBalancerReportUpdateMaxIntervalMinutes`).
        linger_ms: A broker that stops answers lookups for so long after its last bundle went.
        balance: What it does by load when it leads.
        host_usage: What its machine has to do, since it was asked for last.
        network: By which other brokers are reached; None: nobody looks whether they are.
    """

    session_timeout_ms: int = 30_000
    report_interval_ms: int = 5_000
    report_anyway_ms: int = 15 * 60_000
    linger_ms: int = 1_000
    balance: BalanceOptions = field(default_factory=BalanceOptions)
    host_usage: Callable[[], HostUsage] = HostUsage
    network: Network | None = None


class ClusterMember:
    """One broker's part in its cluster.

    Attributes:
        ownership: What it serves, and who serves the rest.
        directory: The brokers that are up.
        registered: The others know of it, as far as is known here.
    """

    def __init__(
        self,
        service: BrokerService,
        store: MetadataStore,
        options: ClusterOptions,
    ) -> None:
        addresses = service.config.addresses
        self.broker_id = addresses.urls.web.rpartition("//")[2]
        self._service = service
        self._store = store
        self._options = options
        self._registry = BrokerRegistry(store)
        record = LeaderRecord(self.broker_id, addresses.urls.web)
        self._election = LeaderElection(store, record)
        self.directory = BrokerDirectory(
            self._registry,
            self._election,
            self.broker_id,
            service.clock,
            options.balance.overloaded,
        )
        self.ownership = ClusterOwnership(
            BundleNodes(store),
            service.bundle_maps,
            self.directory,
            addresses,
            service.topics,
            lambda: store.session_id,
            OwnerProbes(options.network, service.clock, options.session_timeout_ms),
        )
        self._reporter = LoadReporter(service, self.ownership, options.host_usage)
        self._balancer = Balancer(
            self.directory,
            service.bundle_maps,
            lambda: service.admin.elsewhere,
            options.balance,
            service.clock,
        )
        self._told: LoadReport | None = None
        self._guard = PauseGuard(options.session_timeout_ms // _PAUSES_PER_SESSION)
        self._looking = False
        self._wake = asyncio.Event()
        self.registered = False
        self._tasks: list[asyncio.Task[object]] = []
        self._ends: list[Callable[[], None]] = []
        self.is_leader = False

    # Life.

    async def start(self) -> None:
        """Be one of the cluster, as somebody who can be reached.

        Raises:
            NodeExistsError: there is another broker of this address.
            MetadataError: the store cannot be used.
        """
        self._store.when_session_ends(self._session_ended)
        self.directory.start()
        self._ends.append(self._election.watch(self._wake.set))
        await self._begin_session()
        scope, options = self._service.scope, self._options
        beat_ms = options.session_timeout_ms / _BEATS_PER_SESSION
        self._tasks += [
            scope.spawn(self._keep(), name="cluster member"),
            periodically(scope, beat_ms, self.may_send, "heart beat"),
            periodically(scope, options.report_interval_ms, self._report_quietly, "load report"),
        ]
        if options.balance.enabled:
            shed_ms = options.balance.shed.interval_ms
            self._tasks += [
                periodically(scope, shed_ms, self._shed, "shedding"),
                periodically(scope, options.report_interval_ms, self._split, "bundle split"),
            ]

    async def leave(self) -> None:
        """Hand all bundles over: clients find them with other brokers before this one is gone.

        What is not handed over within `shutdown_timeout_ms` goes with the session.
        """
        self.ownership.leaving = True
        await self._service.within_shutdown(self._hand_over(), "change hands")
        await self.close()

    async def _hand_over(self) -> None:
        await self._stop_tasks()  # they would register it again
        try:
            await self._registry.unregister(self.broker_id)
            await self._election.resign()
        except MetadataError as error:
            log.warning("broker %s stays registered for this session: %s", self.broker_id, error)
        self.registered = False
        bundles = self.ownership.owned.bundles
        await self._leave_bundles(bundles)
        if bundles:
            # Clients look up a tenth of a second after they were sent away, perhaps here: refused,
            # they would wait ever longer, though another broker has their topics long since.
            await asyncio.sleep(self._options.linger_ms / 1000)

    async def _leave_bundles(self, bundles: Sequence[Bundle]) -> None:
        for start in range(0, len(bundles), LEFT_AT_ONCE):
            async with TaskScope() as scope:
                for bundle in bundles[start : start + LEFT_AT_ONCE]:
                    scope.spawn(self._leave(bundle), name=f"leave {bundle}")

    async def _leave(self, bundle: Bundle) -> None:
        try:
            await self.ownership.unload(bundle)
        except MetadataError as error:
            log.warning("bundle %s is left with the session only: %s", bundle, error)
        except Exception as error:  # noqa: BLE001 - it must not keep other bundles here
            report_bug(f"bundle {bundle} is left with the session only", error)

    async def close(self) -> None:
        """Follow nothing any more."""
        await self._stop_tasks()
        self.directory.close()
        for end in self._ends:
            end()
        self._ends.clear()

    async def _stop_tasks(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # The session.

    async def _begin_session(self) -> None:
        wait_ms = 2 * self._options.session_timeout_ms
        while True:
            session_id = self._store.session_id
            await self._registry.register(self.broker_id, self._reporter.report(), wait_ms)
            if session_id == self._store.session_id != _NO_SESSION:
                break  # else another has begun, in which it may not be registered
        if self.ownership.owned.session_id != session_id:
            self.ownership.begin_session(session_id)
        self.registered = True
        self._told = None
        self.directory.forget()
        self.is_leader = await self._election.stand()

    def _session_ended(self, session_id: int) -> None:
        """Its ownership nodes are gone: other brokers may have the topics by now."""
        self.registered = self.is_leader = False
        lost = self.ownership.session_ended(session_id)
        log.warning("session 0x%x has ended: %d bundles are lost", session_id, len(lost))
        error = ManagedLedgerFencedError("the broker's session with the metadata store has ended")
        self._service.topics.lose_all(error)
        self._wake.set()

    async def _keep(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                if not self.registered:
                    await self._begin_session()
                else:
                    self.is_leader = await self._election.stand()
            except MetadataError as error:
                log.warning("broker %s is not one of the cluster: %s", self.broker_id, error)
                self._wake.set()
                await asyncio.sleep(RETRY_DELAY_MS / 1000)

    # Reports.

    async def _report_quietly(self) -> None:
        report, told = self._reporter.report(), self._told
        known = told is not None and tells_the_same(told, report)
        recent = told is not None and (
            report.updated_ms - told.updated_ms < self._options.report_anyway_ms
        )
        if not self.registered or (known and recent):
            return
        try:
            await self._registry.report(self.broker_id, report)
            self._told = report
        except MetadataError as error:
            log.info("the load of broker %s is not told: %s", self.broker_id, error)

    # Balance.

    async def _shed(self) -> None:
        if self.is_leader:
            await self._balancer.shed()

    async def _split(self) -> None:
        if self.is_leader:
            await self._balancer.split()

    # Pauses.

    def may_send(self) -> bool:
        """Asked in each turn in which something is to leave; False holds it back."""
        if self._guard.beat(self._service.clock.monotonic_ns()):
            return True
        if not self._looking:
            self._looking = True
            self._service.scope.spawn(self._look_at_session(), name="look at the session")
        return False

    async def _look_at_session(self) -> None:
        """After a pause: nothing leaves until it is known whether the session outlived it."""
        session_id = self.ownership.owned.session_id
        try:
            await self._ask_store()
        finally:
            self._looking = False
        alive = session_id == self._store.session_id and (
            session_id == self.ownership.owned.session_id
        )
        log.warning("the broker was paused; its session %s", "lives" if alive else "has ended")
        if not alive:
            # What waits to leave speaks for an owner that this broker was no more.
            for connection in list(self._service.connections):
                connection.abort()
        self._guard.settle()
        self._service.flusher.release()

    async def _ask_store(self) -> None:
        """Wait for an answer, whatever session it is in."""
        while True:
            try:
                await self._store.sync("/")
            except MetadataError as error:
                log.warning("whether the session lives is not known yet: %s", error)
                await asyncio.sleep(RETRY_DELAY_MS / 1000)
            else:
                return
