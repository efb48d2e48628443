"""Schemas where none is kept: they are accepted without a version."""

from typing import Any

import pytest
from magnetar_broker.errors import ErrorCode
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.client import kind_of
from tests.broker.conftest import Broker

Schema = api.Schema


async def ask(broker: Broker, topic: str, kind: Schema.Type.ValueType) -> Any:
    """The answer to GET_OR_CREATE_SCHEMA on a broker with topic "x"."""
    client = await broker.client()
    await client.ask(api.CommandProducer(topic="x", producer_id=1, request_id=1))
    schema = Schema(name="s", schema_data=b"", type=kind)
    request = api.CommandGetOrCreateSchema(request_id=6, topic=topic, schema=schema)
    reply = await client.ask(request)
    assert (kind_of(reply), reply.request_id) == ("get_or_create_schema_response", 6)
    return reply


@pytest.mark.parametrize("kind", [Schema.NoSchema, Schema.String, Schema.Avro])
async def test_a_schema_is_accepted_without_a_version(
    broker: Broker, kind: Schema.Type.ValueType
) -> None:
    reply = await ask(broker, "x", kind)
    assert not reply.HasField("error_code")
    assert reply.HasField("schema_version"), "the Java client insists"
    assert reply.schema_version == b""


@pytest.mark.parametrize(
    ("topic", "kind", "code"),
    [
        ("y", Schema.NoSchema, ErrorCode.TOPIC_NOT_FOUND),
        ("a/b/c/d/e", Schema.NoSchema, ErrorCode.INVALID_TOPIC_NAME),
        ("x", Schema.AutoConsume, ErrorCode.INCOMPATIBLE_SCHEMA),
    ],
)
async def test_a_schema_is_refused(
    broker: Broker, topic: str, kind: Schema.Type.ValueType, code: ErrorCode
) -> None:
    reply = await ask(broker, topic, kind)
    assert reply.error_code == code
    assert not reply.HasField("schema_version")


async def test_a_topic_that_nobody_uses_is_found(broker: Broker) -> None:
    client = await broker.client()
    await client.ask(api.CommandProducer(topic="x", producer_id=1, request_id=1))
    await broker.service.topics.unload(
        broker.service.topics.loaded["persistent://public/default/x"]
    )
    schema = Schema(name="s", schema_data=b"", type=Schema.NoSchema)
    reply = await (await broker.client()).ask(
        api.CommandGetOrCreateSchema(request_id=6, topic="x", schema=schema)
    )
    assert not reply.HasField("error_code")


async def test_no_topic_has_a_schema(broker: Broker) -> None:
    client = await broker.client()
    reply = await client.ask(api.CommandGetSchema(request_id=5, topic="x"))
    assert (kind_of(reply), reply.request_id) == ("get_schema_response", 5)
    assert reply.error_code == ErrorCode.TOPIC_NOT_FOUND
    reply = await client.ask(api.CommandGetSchema(request_id=6, topic="x", schema_version=b""))
    assert reply.error_code == ErrorCode.INCOMPATIBLE_SCHEMA
