"""The bookie's port: who is connected, and what they share."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

from magnetar_runtime.counters import Family, Kind, Sample
from magnetar_runtime.disk import DiskSpace
from magnetar_runtime.network import Listener, Network
from magnetar_runtime.scope import TaskScope

from magnetar_storage.service.connection import BookieConnection
from magnetar_storage.service.context import Flusher, ServedBookie, ServiceContext
from magnetar_storage.service.lac_table import LacTable
from magnetar_storage.service.limits import ServiceLimits
from magnetar_storage.service.listings import Listings
from magnetar_storage.service.long_polls import LongPolls
from magnetar_storage.service.security import ServiceSecurity


class BookieServer:
    """BookKeeper's wire protocol, versions 2 and 3 on one port, in front of a bookie."""

    def __init__(
        self,
        bookie: ServedBookie,
        loop: asyncio.AbstractEventLoop,
        limits: ServiceLimits,
        disk_space: Callable[[], DiskSpace | None],
        security: ServiceSecurity | None = None,
    ) -> None:
        """Args:
        disk_space: of all ledger directories together, None if not known yet.
        security: who may come; everybody, in clear, if not given.
        """
        tasks = TaskScope()
        self._context = ServiceContext(
            bookie,
            limits,
            loop,
            LacTable(limits.max_lacs),
            LongPolls(loop, limits.max_long_polls),
            Flusher(loop),
            Listings(bookie.list_entries, limits, tasks),
            tasks,
            disk_space,
            security=security or ServiceSecurity(),
        )
        self._connections: dict[BookieConnection, None] = {}
        self._listener: Listener | None = None

    async def listen(self, network: Network, hosts: Sequence[str], port: int) -> list[str]:
        """Accept connections; to be called when the bookie can answer. Gives the addresses.

        Raises:
            OSError: the port is taken.
        """
        self._listener = await network.listen(self._new_connection, hosts, port)
        return self._listener.addresses

    async def close(self) -> None:
        """Close all connections. What was not answered has an unknown end."""
        if self._listener is not None:
            self._listener.close()
        for connection in list(self._connections):
            connection.abort()
        self._context.polls.close()
        await self._context.tasks.close()
        if self._listener is not None:
            await self._listener.wait_closed()
            self._listener = None

    def families(self) -> Iterator[Family]:
        """Metrics of the service."""
        counters = self._context.counters
        pending = sum(each.pending_adds for each in self._connections)
        rows = (
            ("bookkeeper_server_ADD_ENTRY_IN_PROGRESS", Kind.GAUGE, pending, "Adds under way."),
            ("bookkeeper_server_ACTIVE_CONNECTIONS", Kind.GAUGE, counters.connections, "Open now."),
            (
                "magnetar_bookie_connections_opened_total",
                Kind.COUNTER,
                counters.connections_opened,
                "Connections that were opened.",
            ),
            (
                "magnetar_bookie_protocol_errors_total",
                Kind.COUNTER,
                counters.protocol_errors,
                "Connections that were closed for what they sent.",
            ),
            (
                "magnetar_bookie_requests_refused_total",
                Kind.COUNTER,
                counters.requests_refused,
                "Requests that are not served.",
            ),
            (
                "magnetar_bookie_pending_adds",
                Kind.GAUGE,
                pending,
                "Adds without their receipts.",
            ),
            (
                "magnetar_bookie_held_connections",
                Kind.GAUGE,
                sum(each.held for each in self._connections),
                "Connections that are not read for now.",
            ),
            (
                "magnetar_bookie_long_polls",
                Kind.GAUGE,
                len(self._context.polls),
                "Readers that wait for a last add confirmed.",
            ),
        )
        for name, kind, value, text in rows:
            yield Family(name, kind, text, [Sample({}, value)])

    def _new_connection(self) -> BookieConnection:
        connection = BookieConnection(self._context, self._forget)
        self._connections[connection] = None
        return connection

    def _forget(self, connection: BookieConnection) -> None:
        self._connections.pop(connection, None)
