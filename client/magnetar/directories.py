"""From a service URL to what is asked: brokers over their own protocol, or over HTTP."""

import asyncio
import ssl
from collections.abc import Callable, Sequence

from magnetar_runtime.network import Network

from magnetar.authentication import Authentication
from magnetar.broker_directory import BrokerDirectory
from magnetar.connection_pool import ConnectionPool
from magnetar.lookup import Directory
from magnetar.service_url import BrokerAddress, WebAddress, parse_service_url


class Directories:
    """Makes the directories of service URLs for one client.

    Args:
        max_concurrent: how many lookups may be under way; over HTTP it is sixteen for each
            address.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        network: Network,
        authentication: Authentication,
        tls_context: Callable[[], ssl.SSLContext],
        connection_timeout_ms: int,
        listener_name: str | None,
        timeout_s: float,
        max_concurrent: int,
    ) -> None:
        self._pool = pool
        self._network = network
        self._authentication = authentication
        self._tls_context = tls_context
        self._connection_timeout_ms = connection_timeout_ms
        self._listener_name = listener_name
        self._timeout_s = timeout_s
        self._running = asyncio.Semaphore(max_concurrent)

    def of(self, service_url: str) -> list[Directory]:
        """One for each broker that a service URL names.

        Raises:
            InvalidUrl: it cannot be read.
        """
        addresses = parse_service_url(service_url)
        web = [address for address in addresses if isinstance(address, WebAddress)]
        brokers = [address for address in addresses if isinstance(address, BrokerAddress)]
        return [*map(self._of_broker, brokers), *(self._of_web(web) if web else [])]

    def _of_broker(self, address: BrokerAddress) -> BrokerDirectory:
        return BrokerDirectory(
            address, self._pool, self._listener_name, self._timeout_s, self._running
        )

    def _of_web(self, addresses: Sequence[WebAddress]) -> list[Directory]:
        # Loaded by those who use it.
        from magnetar.web_client import WebClient
        from magnetar.web_directory import WebDirectory

        web = WebClient(
            self._network,
            self._authentication,
            self._tls_context,
            self._connection_timeout_ms,
            self._timeout_s,
        )
        return [WebDirectory(address, web, self._listener_name) for address in addresses]
