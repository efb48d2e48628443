"""Commands that ask where topics are and how many partitions they have."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker import answers
from magnetar_broker.errors import BrokerError, TooManyRequestsError
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
    await service.namespaces.check(name.namespace)
    where = await service.ownership.look_up(
        name,
        authoritative=request.authoritative,
        listener=request.advertised_listener_name,
        may_wait=True,
    )
    if where.redirect:
        answer = answers.lookup_redirect(
            request.request_id, where.urls, authoritative=where.authoritative
        )
    else:
        # An address of this machine may mean another one to the client. There is a way out only
        # if all topics are where the client got this answer from.
        through = service.cluster is None and service.config.advertises_loopback
        answer = answers.lookup_connect(request.request_id, where.urls, through_service_url=through)
    connection.send(answer)


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
