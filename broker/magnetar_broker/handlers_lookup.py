"""Commands that ask where topics are and how many partitions they have."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker import answers
from magnetar_broker.errors import BrokerError, ServiceNotReadyError, TooManyRequestsError
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from collections.abc import Callable

    from magnetar_broker.connection import Connection, Handler


def handle_lookup(connection: Connection, request: api.CommandLookupTopic) -> None:
    """LOOKUP: which broker serves a topic, whether it exists or not."""

    def refuse(error: BrokerError) -> None:
        connection.send(answers.lookup_failed(request.request_id, error.code, str(error)))

    begin_lookup(connection, _look_up(connection, request), refuse, "LOOKUP")


async def _look_up(connection: Connection, request: api.CommandLookupTopic) -> None:
    name = TopicName.parse(request.topic)
    service = connection.service
    check_listener(request.advertised_listener_name)
    await service.namespaces.check(name.namespace)
    config = service.config
    connection.send(
        answers.lookup_connect(
            request.request_id,
            config.broker_url,
            through_service_url=config.advertises_loopback,
        )
    )


def check_listener(name: str) -> None:
    """Raise if a listener is named: there is only the one that has no name.

    Raises:
        ServiceNotReadyError: with the text that C++ clients look for.
    """
    if name:
        raise ServiceNotReadyError(f"the broker do not have {name} listener")


def handle_partitioned_metadata(
    connection: Connection, request: api.CommandPartitionedTopicMetadata
) -> None:
    """PARTITIONED_METADATA: how many partitions a topic has, which may make it."""

    def refuse(error: BrokerError) -> None:
        connection.send(answers.partitions_failed(request.request_id, error.code, str(error)))

    begin_lookup(connection, _count_partitions(connection, request), refuse, "PARTITIONED_METADATA")


async def _count_partitions(
    connection: Connection, request: api.CommandPartitionedTopicMetadata
) -> None:
    name = TopicName.parse(request.topic)
    count = await connection.service.catalog.partitions_for_client(
        name, may_create=request.metadata_auto_creation_enabled
    )
    connection.send(answers.partitions(request.request_id, count))


def begin_lookup(
    connection: Connection,
    work: Coroutine[Any, Any, None],
    refuse: Callable[[BrokerError], None],
    name: str,
) -> None:
    """Start a lookup, unless too many are under way in this broker."""
    service = connection.service
    limit = service.config.limits.max_concurrent_lookups
    if service.lookups >= limit:
        work.close()
        refuse(TooManyRequestsError(f"{limit} lookups are under way; retry later"))
        return
    service.lookups += 1

    async def counted() -> None:
        try:
            await work
        finally:
            service.lookups -= 1

    connection.request(counted(), refuse, name)


LOOKUP_HANDLERS: Final[Mapping[int, Handler]] = {
    api.BaseCommand.LOOKUP: handle_lookup,
    api.BaseCommand.PARTITIONED_METADATA: handle_partitioned_metadata,
}
