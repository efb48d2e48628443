"""Commands of what is not built: clients get an answer and go on."""

from typing import Any

import pytest
from magnetar_broker.errors import ErrorCode
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.client import kind_of
from tests.broker.conftest import Broker


@pytest.mark.parametrize(
    "request_",
    [
        api.CommandTcClientConnectRequest(request_id=5, tc_id=0),
        api.CommandNewTxn(request_id=5),
        api.CommandAddPartitionToTxn(request_id=5),
        api.CommandAddSubscriptionToTxn(request_id=5),
        api.CommandEndTxn(request_id=5),
        api.CommandEndTxnOnPartition(request_id=5),
        api.CommandEndTxnOnSubscription(request_id=5),
    ],
    ids=kind_of,
)
async def test_refused(broker: Broker, request_: Any) -> None:
    client = await broker.client()
    reply = await client.ask(request_)
    assert (kind_of(reply), reply.request_id) == ("error", 5)
    assert reply.error == ErrorCode.NOT_ALLOWED


async def test_no_topic_has_a_schema(broker: Broker) -> None:
    client = await broker.client()
    reply = await client.ask(api.CommandGetSchema(request_id=5, topic="x"))
    assert (kind_of(reply), reply.error_code) == ("get_schema_response", ErrorCode.TOPIC_NOT_FOUND)


@pytest.mark.parametrize("type_", [api.Schema.NoSchema, api.Schema.String])
async def test_a_schema_is_accepted_for_a_topic_in_use(broker: Broker, type_: Any) -> None:
    client = await broker.client()
    schema = api.Schema(name="s", schema_data=b"", type=type_)
    request = api.CommandGetOrCreateSchema(request_id=6, topic="x", schema=schema)
    reply = await client.ask(request)
    assert kind_of(reply) == "get_or_create_schema_response"
    assert (reply.request_id, reply.error_code) == (6, ErrorCode.TOPIC_NOT_FOUND)
    await client.ask(api.CommandProducer(topic="x", producer_id=1, request_id=7))
    reply = await client.ask(request)
    assert (reply.request_id, reply.schema_version) == (6, b"")
    assert not reply.HasField("error_code")
