"""Connections that producers, consumers and lookups of one client share."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from magnetar_runtime.network import Network
from magnetar_runtime.scope import TaskScope

from magnetar.authentication import Authentication
from magnetar.connection import MAX_WRITE_BUFFER_BYTES, Connection
from magnetar.errors import AlreadyClosed, ConnectError, PulsarException
from magnetar.service_url import BrokerAddress


@dataclass(frozen=True, slots=True)
class Route:
    """Which broker is meant, and where to connect for it: they differ behind a proxy."""

    broker: BrokerAddress
    through: BrokerAddress

    @classmethod
    def direct(cls, broker: BrokerAddress) -> "Route":
        """Without a proxy."""
        return cls(broker, broker)


class ConnectionPool:
    """One connection per broker, opened when it is first asked for.

    Args:
        tls_context: for addresses with TLS; made when one is first met.
        connection_timeout_ms: for connecting and for the handshake, each.
    """

    def __init__(
        self,
        network: Network,
        scope: TaskScope,
        authentication: Authentication,
        tls_context: Callable[[], ssl.SSLContext],
        connection_timeout_ms: int,
        keep_alive_interval_ms: int,
    ) -> None:
        self._network = network
        self._scope = scope
        self._authentication = authentication
        self._tls_context = tls_context
        self._timeout_s = connection_timeout_ms / 1000
        self._keep_alive_interval_ms = keep_alive_interval_ms
        self._connections: dict[Route, Connection] = {}
        self._opening: dict[Route, asyncio.Future[Connection]] = {}
        self._closed = False

    async def get(self, route: Route) -> Connection:
        """The connection for a route.

        Raises:
            PulsarException: there is none, and none can be made.
        """
        connection = self._connections.get(route)
        if connection is not None:
            return connection
        if self._closed:
            raise AlreadyClosed("the client is closed")
        future = self._opening.get(route)
        if future is None:
            future = asyncio.get_running_loop().create_future()
            self._opening[route] = future
            self._scope.spawn(self._open(route, future), name=f"connect to {route.through}")
        return await asyncio.shield(future)

    async def _open(self, route: Route, future: asyncio.Future[Connection]) -> None:
        try:
            connection = await self._connect(route)
        except PulsarException as error:
            future.set_exception(error)
            future.exception()  # it may be that nobody waits any more
        else:
            if connection.closed:
                future.set_exception(ConnectError(f"connection to {route.through} lost at once"))
                future.exception()
            else:
                self._connections[route] = connection
                future.set_result(connection)
        finally:
            del self._opening[route]
            future.cancel()

    async def _connect(self, route: Route) -> Connection:
        address = route.through
        connection = Connection(
            str(route.broker),
            self._authentication,
            self._keep_alive_interval_ms,
            self._scope,
            self._forget,
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                context = self._tls_context() if address.tls else None
                transport, _ = await self._network.connect(
                    lambda: connection, address.host, address.port, context
                )
            transport.set_write_buffer_limits(MAX_WRITE_BUFFER_BYTES)
            async with asyncio.timeout(self._timeout_s):
                await connection.handshake(
                    None if route.broker == route.through else route.broker.authority
                )
        except TimeoutError as error:
            connection.abort(ConnectError(f"{address}: no connection in {self._timeout_s:g} s"))
            raise ConnectError(f"{address}: no connection in {self._timeout_s:g} s") from error
        except (OSError, UnicodeError) as error:  # the latter: a name that no host can have
            raise ConnectError(f"{address}: {error}") from error
        except BaseException as error:
            connection.abort(ConnectError(f"{address}: {error}"))
            raise
        return connection

    def _forget(self, connection: Connection) -> None:
        for route, known in list(self._connections.items()):
            if known is connection:
                del self._connections[route]

    def close(self) -> None:
        """Close all; none is opened any more."""
        self._closed = True
        for connection in list(self._connections.values()):
            connection.close()
