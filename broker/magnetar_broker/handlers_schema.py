"""Commands about schemas, of a broker that keeps none.

There is no registry yet: a schema is accepted and not kept, so that no topic has one. The Java
client asks for the version of a schema before it sends a message with another schema than that of
its producer; each retry letter is such a message, also where no schema is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker import answers
from magnetar_broker.errors import (
    BrokerError,
    ErrorCode,
    IncompatibleSchemaError,
    TopicNotFoundError,
)
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_broker.connection import Connection, Handler


def handle_get_schema(connection: Connection, request: api.CommandGetSchema) -> None:
    """GET_SCHEMA: no topic has one; said as Apache Pulsar says it of a topic without."""
    if request.HasField("schema_version") and not request.schema_version:
        code, text = ErrorCode.INCOMPATIBLE_SCHEMA, "An empty schema version is none"
    else:
        code, text = ErrorCode.TOPIC_NOT_FOUND, f"Topic not found or no-schema {request.topic}"
    connection.send(answers.schema_failed(request.request_id, code, text))


def handle_get_or_create_schema(
    connection: Connection, request: api.CommandGetOrCreateSchema
) -> None:
    """GET_OR_CREATE_SCHEMA: accepted and not kept, as the schema of a PRODUCER is."""

    def refuse(error: BrokerError) -> None:
        failed = answers.create_schema_failed(request.request_id, error.code, str(error))
        connection.send(failed)

    connection.request(_get_or_create(connection, request), refuse, "GET_OR_CREATE_SCHEMA")


async def _get_or_create(connection: Connection, request: api.CommandGetOrCreateSchema) -> None:
    name = TopicName.parse(request.topic)
    if not await connection.service.catalog.exists(name):
        raise TopicNotFoundError(f"Topic {name} not found")
    if request.schema.type == api.Schema.AutoConsume:
        raise IncompatibleSchemaError("AutoConsume is no schema to write messages with")
    connection.send(answers.schema_created(request.request_id))


SCHEMA_HANDLERS: Final[Mapping[int, Handler]] = {
    api.BaseCommand.GET_SCHEMA: handle_get_schema,
    api.BaseCommand.GET_OR_CREATE_SCHEMA: handle_get_or_create_schema,
}
