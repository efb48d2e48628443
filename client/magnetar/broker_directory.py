"""What is asked of a broker over the binary protocol."""

import asyncio
from typing import Any, Final, cast

from magnetar_proto import pulsar_api_pb2 as api

from magnetar.connection import Connection
from magnetar.connection_pool import ConnectionPool, Route
from magnetar.errors import LookupError
from magnetar.service_url import BrokerAddress

MAX_REDIRECTS: Final = 20


class BrokerDirectory:
    """Asks one broker; each question is one attempt.

    Args:
        listener_name: which of the addresses that brokers advertise is wanted.
        running: how many questions of the client may be under way.
    """

    def __init__(
        self,
        address: BrokerAddress,
        pool: ConnectionPool,
        listener_name: str | None,
        timeout_s: float,
        running: asyncio.Semaphore,
    ) -> None:
        self._address = address
        self._pool = pool
        self._listener_name = listener_name
        self._timeout_s = timeout_s
        self._running = running

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has; 0 if it is not partitioned."""
        command = api.CommandPartitionedTopicMetadata(topic=topic)
        answer = await self._ask(await self._connection(), command, f"partitions of {topic}")
        return int(answer.partitions)

    async def route(self, topic: str) -> Route:
        """Where the broker of a topic is."""
        through = self._address
        route = Route.direct(through)
        authoritative = False
        for _ in range(MAX_REDIRECTS + 1):
            command = api.CommandLookupTopic(topic=topic, authoritative=authoritative)
            if self._listener_name:
                command.advertised_listener_name = self._listener_name
            connection = await self._pool.get(route)
            answer = await self._ask(connection, command, f"lookup of {topic}")
            url = answer.brokerServiceUrlTls if through.tls else answer.brokerServiceUrl
            if not url:
                raise LookupError(f"lookup of {topic}: the broker has no address of the kind used")
            broker = BrokerAddress.parse(url)
            route = Route(broker, through if answer.proxy_through_service_url else broker)
            if answer.response == answer.Connect:
                return route
            authoritative = answer.authoritative
        raise LookupError(f"lookup of {topic}: sent on more than {MAX_REDIRECTS} times")

    async def topics(self, namespace: str, mode: int) -> list[str]:
        """The full names of the topics of a namespace."""
        command = api.CommandGetTopicsOfNamespace(namespace=namespace, mode=cast(Any, mode))
        answer = await self._ask(await self._connection(), command, f"topics of {namespace}")
        return list(answer.topics)

    async def _connection(self) -> Connection:
        return await self._pool.get(Route.direct(self._address))

    async def _ask(self, connection: Connection, command: Any, what: str) -> Any:
        async with self._running:
            return await connection.request(command, what, self._timeout_s)
