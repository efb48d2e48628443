"""The way of one web client to topics, wherever they are served."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.network import Network, SystemNetwork

from magnetar_broker.errors import BrokerError, ServiceNotReadyError
from magnetar_broker.inner_client.client_connection import ClientConnection
from magnetar_broker.inner_client.pipe import join_by_pipe

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic_name import NamespaceName, TopicName

REQUEST_TIMEOUT_S: Final = 30.0
"""Of one request to a broker (`operationTimeoutMs` of Pulsar's clients)."""
_MOST_REDIRECTS: Final = 20

_DEFAULT_PORT: Final = 6650


class InnerClient:
    """Connections for one web client: one to each broker that serves topics of its.

    Attributes:
        service: The broker in whose process this is.
        remote_address: Of the web client, `host:port`; brokers are told that of this one.
        closed: Nobody needs its connections any more.
    """

    def __init__(
        self,
        service: BrokerService,
        remote_address: str,
        network: Network | None = None,
    ) -> None:
        self.service = service
        self.remote_address = remote_address
        self._network: Network = SystemNetwork() if network is None else network
        self._connections: dict[str, ClientConnection] = {}
        self._opening: dict[str, asyncio.Future[ClientConnection]] = {}
        self.closed = False

    @property
    def connections(self) -> list[ClientConnection]:
        """All that are open."""
        return list(self._connections.values())

    async def connection_for(self, topic: TopicName) -> ClientConnection:
        """A connection to the broker that serves the topic.

        Raises:
            BrokerError: that cannot be told, or it cannot be reached.
        """
        connection, authoritative = await self._local(), False
        for _ in range(_MOST_REDIRECTS):
            lookup = api.CommandLookupTopic(topic=str(topic), authoritative=authoritative)
            answer = await connection.request(lookup, REQUEST_TIMEOUT_S)
            if answer.response == api.CommandLookupTopicResponse.Connect:
                if answer.proxy_through_service_url:
                    return connection
                return await self._to(answer.brokerServiceUrl)
            connection = await self._to(answer.brokerServiceUrl)
            authoritative = answer.authoritative
        raise ServiceNotReadyError(f"Brokers send the lookup of {topic} in circles; retry later")

    async def ask(self, command: Any) -> Any:
        """The answer of this broker to a request that any broker answers."""
        connection = await self._local()
        return await connection.request(command, REQUEST_TIMEOUT_S)

    async def partitions(self, topic: TopicName) -> int:
        """How many partitions it has; 0 if it is not partitioned. May make it, as any client's
        question. Raises BrokerError."""
        command = api.CommandPartitionedTopicMetadata(
            topic=str(topic), metadata_auto_creation_enabled=True
        )
        return int((await self.ask(command)).partitions)

    async def topics_like(self, namespace: NamespaceName, pattern: str) -> list[str]:
        """Topics of a namespace whose names match. Raises BrokerError."""
        command = api.CommandGetTopicsOfNamespace(
            namespace=str(namespace),
            mode=api.CommandGetTopicsOfNamespace.Mode.ALL,
            topics_pattern=pattern,
        )
        answer = await self.ask(command)
        return [str(topic) for topic in answer.topics]

    async def _local(self) -> ClientConnection:
        return await self._to(self._own_url)

    @property
    def _own_url(self) -> str:
        urls = self.service.config.addresses.of_listener("")
        return urls.broker if urls is not None and urls.broker else self.service.config.broker_url

    async def _to(self, url: str) -> ClientConnection:
        connection = self._connections.get(url)
        if connection is not None and not connection.closed:
            return connection
        if self.closed:
            raise ServiceNotReadyError("The client is gone")
        opening = self._opening.get(url)
        if opening is None:
            loop = self.service.loop
            opening = self._opening[url] = loop.create_future()
            opening.add_done_callback(lambda done: done.cancelled() or done.exception())
            try:
                opening.set_result(await self._open(url))
            except BaseException as error:
                kept = error if isinstance(error, BrokerError) else _unreachable(url, error)
                opening.set_exception(kept)
                raise
            finally:
                del self._opening[url]
        return await asyncio.shield(opening)

    async def _open(self, url: str) -> ClientConnection:
        service = self.service
        connection = ClientConnection(service.loop, service.config.limits.max_frame_bytes)
        if url == self._own_url:
            host, _, port = self.remote_address.rpartition(":")
            peer = (host, int(port)) if port.isdigit() else None
            join_by_pipe(service.loop, service.new_connection(), connection, peername=peer)
        else:
            await self._connect(url, connection)
        self._connections[url] = connection
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                await connection.greet()
        except TimeoutError as error:
            connection.close()
            raise _unreachable(url, error) from error
        except BaseException:
            connection.close()
            raise
        if self.closed:
            connection.close()
            raise ServiceNotReadyError("The client is gone")
        if url != self._own_url:
            connection.keep_alive(service.config.limits.keep_alive_interval_ms / 1000)
        return connection

    async def _connect(self, url: str, connection: ClientConnection) -> None:
        parts = urlsplit(url)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                await self._network.connect(
                    lambda: connection, parts.hostname or "", parts.port or _DEFAULT_PORT
                )
        except (OSError, TimeoutError) as error:
            raise _unreachable(url, error) from error

    def close(self) -> None:
        """End all connections, with what sits on them."""
        self.closed = True
        for connection in self.connections:
            connection.close()
        self._connections.clear()


def _unreachable(url: str, error: BaseException) -> ServiceNotReadyError:
    reason = str(error) or type(error).__name__
    return ServiceNotReadyError(f"Broker {url} cannot be reached ({reason}); retry later")
