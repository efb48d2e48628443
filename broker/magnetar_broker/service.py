"""The broker service: what all connections of one broker share."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Protocol

from magnetar_metadata.topic_records import TopicRecords
from magnetar_runtime.scope import TaskScope, periodically

from magnetar_broker import answers
from magnetar_broker.config import BrokerConfig
from magnetar_broker.connection import Connection
from magnetar_broker.consumer_link import ConsumeContext
from magnetar_broker.dispatch.delayed_memory import DelayedMemory
from magnetar_broker.errors import ErrorCode
from magnetar_broker.flusher import Flusher
from magnetar_broker.handler_table import CONNECTED_HANDLERS, HANDSHAKE_HANDLERS
from magnetar_broker.keep_alive import SLOTS, KeepAliveWheel
from magnetar_broker.namespace_admin import NamespaceAdmin
from magnetar_broker.namespaces import Namespaces
from magnetar_broker.ownership.bundle_maps import BundleMaps
from magnetar_broker.ownership.cluster_member import ClusterMember, ClusterOptions
from magnetar_broker.ownership.topic_ownership import SoleOwnership, TopicOwnership
from magnetar_broker.policies.live import LivePolicies
from magnetar_broker.policies.store import PolicyStore
from magnetar_broker.policies.upkeep import Upkeep
from magnetar_broker.producer_names import ProducerNames
from magnetar_broker.publish_buffer import PublishBuffer
from magnetar_broker.stats.sampler import StatsSampler
from magnetar_broker.tenancy import Tenancy
from magnetar_broker.topic_admin import TopicAdmin
from magnetar_broker.topic_catalog import TopicCatalog
from magnetar_broker.topic_watches import TopicWatches, WatchContext
from magnetar_broker.topics import Topics
from magnetar_broker.unacked_budget import UnackedBudget

if TYPE_CHECKING:
    from magnetar_ledger.managed.config import LedgerPolicies
    from magnetar_ledger.managed.managed_ledger import ManagedLedger
    from magnetar_metadata.store import MetadataStore
    from magnetar_runtime.clock import Clock

    from magnetar_broker.topic import Topic
    from magnetar_broker.topic_name import TopicName

log = logging.getLogger(__name__)


class LedgerFactory(Protocol):
    """Opens the managed ledger of a topic."""

    def __call__(
        self, name: str, *, create: bool, policies: LedgerPolicies | None = None
    ) -> Awaitable[ManagedLedger]:
        """Open it, or make it if `create`. Raises LedgerError, MetadataError."""


@dataclass(frozen=True, slots=True)
class BrokerDeps:
    """What the broker stands on.

    Attributes:
        store: Where the cluster's metadata is.
        open_ledger: Opens the managed ledger of a topic.
        clock: Time of connecting, of use.
        takes_entries: Whether there is anywhere to write to; False while disks are full.
        cluster: How it shares topics with other brokers; None if it is the only one.
    """

    store: MetadataStore
    open_ledger: LedgerFactory
    clock: Clock
    takes_entries: Callable[[], bool] = lambda: True
    cluster: ClusterOptions | None = None


class BrokerService:
    """One broker. Make it on the loop that owns it, `start` it, `stop` it.

    Attributes:
        version, server_version: This program's, bare and as clients are told.
        store: Where the cluster's metadata is.
        scope: Where the work of requests and the background work run.
        topics: The topics that are loaded here.
        ownership: Which topics are served here, and where others are.
        cluster: Its part in a cluster; None if it is alone.
        policy_store: What is set for namespaces and topics.
        live_policies: What holds for the topics that are loaded.
        upkeep: What policies have done from time to time.
        bundle_maps: How namespaces are split into bundles.
        catalog: What topics there are, and which may be made.
        sampler: Measures rates.
        admin: What administrators do to topics.
        tenancy, namespace_admin: What they do to clusters, tenants and namespaces.
        topic_watches: Lists of topics that clients follow.
        publish_buffer: What they have under way.
        connections: All that are open.
        consume_context: What subscriptions share.
    """

    def __init__(self, config: BrokerConfig, deps: BrokerDeps, scope: TaskScope) -> None:
        self.config = config
        self.version = metadata.version("magnetar")
        self.server_version = f"Magnetar Server {self.version}"
        self.clock = deps.clock
        self.takes_entries = deps.takes_entries
        self.loop = asyncio.get_running_loop()
        self.scope = scope
        self.store = deps.store
        records = TopicRecords(deps.store)
        self.policy_store = PolicyStore(deps.store, records)
        self.namespaces = Namespaces(records, config)
        self.topics = Topics(self, deps.open_ledger)
        self.live_policies = LivePolicies(self.policy_store, config, self.topics.loaded, scope)
        self.upkeep = Upkeep(self.topics.loaded, deps.clock)
        self.bundle_maps = BundleMaps(deps.store, records)
        self.ownership: TopicOwnership = SoleOwnership(config.addresses)
        self.cluster: ClusterMember | None = None
        if deps.cluster is not None:
            self.cluster = ClusterMember(self, deps.store, deps.cluster)
            self.ownership = self.cluster.ownership
        self.flusher = Flusher(self.loop, None if self.cluster is None else self.cluster.may_send)
        self.catalog = TopicCatalog(
            deps.store, records, self.namespaces, config, self.topics.loaded
        )
        self.consume_context = ConsumeContext(
            scope=scope,
            clock=deps.clock,
            call_later=self.loop.call_later,
            call_soon=self.loop.call_soon,
            limits=config.consume,
            delayed_memory=DelayedMemory(config.consume.delayed_index_memory_bytes),
            unacked_budget=UnackedBudget(
                config.consume.max_unacked_messages_per_broker,
                config.consume.max_unacked_share_of_subscription,
            ),
        )
        self.topic_watches = TopicWatches(
            WatchContext(
                catalog=self.catalog,
                scope=scope,
                clock=deps.clock,
                call_later=self.loop.call_later,
                delay_ms=config.limits.topic_watch_delay_ms,
            )
        )
        self.sampler = StatsSampler(self.topics.loaded, deps.clock)
        self.admin = TopicAdmin(self, records)
        self.tenancy = Tenancy(records)
        self.namespace_admin = NamespaceAdmin(self, records)
        self.publish_buffer = PublishBuffer(config.limits.max_publish_buffer_bytes)
        self.connections: dict[Connection, None] = {}
        self.connections_opened = 0
        self.lookups = 0
        self._producer_names = ProducerNames(deps.store, config.cluster)
        self._addresses: Counter[str] = Counter()
        self._wheel: KeepAliveWheel[Connection] = KeepAliveWheel()
        self._background: list[asyncio.Task[object]] = []
        self._stopping = False
        self._shutdown_ends_ns: int | None = None

    async def start(self) -> None:
        """Make what a first start needs, and begin the background work.

        Raises:
            MetadataError: the store is not usable.
        """
        await self.namespaces.bootstrap()
        await self._producer_names.start()
        interval_ms = self.config.limits.keep_alive_interval_ms / SLOTS
        self._begin(interval_ms, self._keep_alive_step, "keep-alive")
        interval_ms = self.config.inactive_topics_interval_ms
        self._begin(interval_ms, self.topics.delete_inactive, "inactive topics")
        interval_ms = self.config.dedup.snapshot_frequency_ms
        self._begin(interval_ms, self.topics.tick_deduplication, "sequence ids")
        self._begin_policies()
        interval_ms = self.config.retention_check_interval_ms
        self._begin(interval_ms, self.topics.trim_retained, "retention")
        self._begin(self.config.stats_interval_ms, self.sampler.sample, "stats")

    def _begin_policies(self) -> None:
        policy, upkeep = self.config.policy, self.upkeep
        self._begin(policy.ttl_check_ms, upkeep.expire_messages, "expiry of messages")
        if policy.quota_check_ms:
            self._begin(policy.quota_check_ms, upkeep.check_backlogs, "backlog quotas")
        interval_ms = policy.subscription_expiration_check_ms
        self._begin(interval_ms, upkeep.expire_subscriptions, "expiry of subscriptions")
        interval_ms = self.config.retention_check_interval_ms
        self._begin(interval_ms, self.live_policies.catch_up, "policies")

    def _begin(
        self, interval_ms: float, action: Callable[[], Awaitable[None] | None], name: str
    ) -> None:
        self._background.append(periodically(self.scope, interval_ms, action, name))

    async def stop(self) -> None:
        """Send clients away, persist cursors, close ledgers. Nothing is taken any more."""
        self._stopping = True
        for task in self._background:
            task.cancel()
        if self.cluster is not None:
            await self.cluster.close()
        self.bundle_maps.close()
        await self.within_shutdown(self.topics.close_all(), "close")
        self.live_policies.close()
        for connection in list(self.connections):
            connection.close()

    async def within_shutdown(self, work: Awaitable[None], what: str) -> None:
        """Wait for a part of the end until the time for all is over (`shutdown_timeout_ms`).

        Scenario: a bookie or the metadata store says nothing, and whoever stops the broker waits.
        """
        limit_ms, now_ns = self.config.limits.shutdown_timeout_ms, self.clock.monotonic_ns()
        if self._shutdown_ends_ns is None:
            self._shutdown_ends_ns = now_ns + limit_ms * 1_000_000
        try:
            async with asyncio.timeout(max(0, self._shutdown_ends_ns - now_ns) / 1e9):
                await work
        except TimeoutError:
            log.warning(
                "topics did not %s within %d ms (brokerShutdownTimeoutMs): %d are left as after a "
                "kill, and their next owner recovers them",
                what,
                limit_ms,
                len(self.topics.loaded),
            )

    # Connections.

    def new_connection(self) -> Connection:
        """A protocol for a socket that was accepted: the factory of a listener."""
        return Connection(self, HANDSHAKE_HANDLERS)

    def connection_opened(self, connection: Connection) -> None:
        """Count a connection in, or turn it away."""
        self.connections[connection] = None
        self.connections_opened += 1
        self._addresses[_host(connection)] += 1
        self._wheel.add(connection)
        refusal = self._refusal_of(connection)
        if refusal:
            connection.send(answers.error(answers.NO_REQUEST, ErrorCode.NOT_ALLOWED, refusal))
            connection.close()

    def _refusal_of(self, connection: Connection) -> str:
        limits = self.config.limits
        if self._stopping:
            return "The broker is stopping; connect to another one or retry"
        if limits.max_connections and len(self.connections) > limits.max_connections:
            return f"The broker has {limits.max_connections} connections, its maximum"
        most = limits.max_connections_per_address
        if most and self._addresses[_host(connection)] > most:
            return f"This address has {most} connections, its maximum"
        return ""

    def connection_closed(self, connection: Connection) -> None:
        """Count a connection out."""
        del self.connections[connection]
        self._wheel.discard(connection)
        host = _host(connection)
        self._addresses[host] -= 1
        if not self._addresses[host]:
            del self._addresses[host]

    def connection_ready(self, connection: Connection) -> None:
        """The handshake is done: all commands are taken from now on."""
        connection.handlers = CONNECTED_HANDLERS

    def _keep_alive_step(self) -> None:
        for connection in self._wheel.step():
            connection.keep_alive_tick(connected=connection.handlers is CONNECTED_HANDLERS)

    # Topics.

    async def topic(self, name: TopicName, *, create: bool) -> Topic:
        """A topic of this broker, loaded now if it was not.

        Args:
            create: make it if it does not exist and the rules of its namespace allow that.

        Raises:
            BrokerError: there is no such topic, it may not be made, or it cannot be opened now.
        """
        return await self.topics.get(name, create=create)

    @property
    def takes_clients(self) -> bool:
        """Whether clients are taken: it is not being stopped."""
        return not self._stopping

    async def healthy(self) -> bool:
        """Whether clients are taken and metadata answers. Raises MetadataError."""
        return self.takes_clients and await self.namespaces.cluster(self.config.cluster) is not None

    def new_producer_name(self) -> str:
        """A name that no other producer of the cluster has or had."""
        return self._producer_names.next()


def _host(connection: Connection) -> str:
    return connection.remote_address.rpartition(":")[0]
