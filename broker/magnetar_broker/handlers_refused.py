"""Commands of what is not built: each gets the answer by which clients go on without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker import answers
from magnetar_broker.errors import ErrorCode, NotAllowedError
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_broker.connection import Connection, Handler


def handle_get_schema(connection: Connection, request: api.CommandGetSchema) -> None:
    """GET_SCHEMA: no topic has one; said as Apache Pulsar says it of a topic without."""
    text = f"Topic not found or no-schema {request.topic}"
    connection.send(answers.schema_failed(request.request_id, ErrorCode.TOPIC_NOT_FOUND, text))


def handle_get_or_create_schema(
    connection: Connection, request: api.CommandGetOrCreateSchema
) -> None:
    """GET_OR_CREATE_SCHEMA: accepted and not kept, as the schema of a PRODUCER is.

    Asked for a topic that has a producer: by the Java client for each retry letter, also where no
    schema is used, and by who sends more than one schema to a topic.
    """
    name = str(TopicName.parse(request.topic))
    if name not in connection.service.topics.loaded:
        text, code = f"Topic {name} is not loaded in this broker", ErrorCode.TOPIC_NOT_FOUND
        connection.send(answers.create_schema_failed(request.request_id, code, text))
        return
    connection.send(answers.schema_created(request.request_id))


class Request(Protocol):
    """A command that is answered by its request id."""

    request_id: int


def handle_transaction(connection: Connection, request: Request) -> None:
    """Whatever belongs to transactions."""
    refusal = NotAllowedError("Transactions are not enabled.")
    connection.send_error(request.request_id, refusal)


_TRANSACTION_TYPES: Final = (
    api.BaseCommand.TC_CLIENT_CONNECT_REQUEST,
    api.BaseCommand.NEW_TXN,
    api.BaseCommand.ADD_PARTITION_TO_TXN,
    api.BaseCommand.ADD_SUBSCRIPTION_TO_TXN,
    api.BaseCommand.END_TXN,
    api.BaseCommand.END_TXN_ON_PARTITION,
    api.BaseCommand.END_TXN_ON_SUBSCRIPTION,
)

REFUSED_HANDLERS: Final[Mapping[int, Handler]] = {
    api.BaseCommand.GET_SCHEMA: handle_get_schema,
    api.BaseCommand.GET_OR_CREATE_SCHEMA: handle_get_or_create_schema,
    **dict.fromkeys(_TRANSACTION_TYPES, handle_transaction),
}
