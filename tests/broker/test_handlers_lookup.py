"""Lookup, partition metadata, topic lists."""

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import ErrorCode
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.limits import Limits

from tests.broker.client import kind_of
from tests.broker.conftest import Broker, StartBroker

Lookup = api.CommandLookupTopicResponse
Partitions = api.CommandPartitionedTopicMetadataResponse


async def test_lookup(broker: Broker) -> None:
    client = await broker.client()
    reply = await client.ask(api.CommandLookupTopic(topic="any", request_id=5))
    assert (reply.request_id, reply.response) == (5, Lookup.Connect)
    assert reply.brokerServiceUrl == "pulsar://localhost:6650"
    assert reply.authoritative
    assert reply.proxy_through_service_url


async def test_lookup_of_a_broker_with_a_real_address(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(advertised_host="broker.example", broker_port=1))
    client = await broker.client()
    reply = await client.ask(api.CommandLookupTopic(topic="any", request_id=5))
    assert reply.brokerServiceUrl == "pulsar://broker.example:1"
    assert not reply.proxy_through_service_url


@pytest.mark.parametrize(
    ("topic", "listener", "error", "text"),
    [
        ("a/b", "", ErrorCode.INVALID_TOPIC_NAME, "a/b"),
        ("public/none/x", "", ErrorCode.TOPIC_NOT_FOUND, "Namespace not found"),
        ("x", "foo", ErrorCode.SERVICE_NOT_READY, "the broker do not have foo listener"),
    ],
)
async def test_trap_4_failed_lookup(
    broker: Broker, topic: str, listener: str, error: ErrorCode, text: str
) -> None:
    client = await broker.client()
    request = api.CommandLookupTopic(topic=topic, request_id=5, advertised_listener_name=listener)
    reply = await client.ask(request)
    assert (reply.request_id, reply.response, reply.error) == (5, Lookup.Failed, error)
    assert text in reply.message


async def test_most_lookups_at_one_time(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_concurrent_lookups=1)))
    client = await broker.client()
    client.send(
        api.CommandLookupTopic(topic="x", request_id=1),
        api.CommandPartitionedTopicMetadata(topic="x", request_id=2),
    )
    refused, found = await client.turn()
    assert (kind_of(refused), refused.request_id) == ("partitioned_metadata_response", 2)
    assert refused.error == ErrorCode.TOO_MANY_REQUESTS
    assert (found.request_id, found.response) == (1, Lookup.Connect)
    again = await client.ask(api.CommandLookupTopic(topic="x", request_id=3))
    assert again.response == Lookup.Connect


async def test_partitioned_metadata(broker: Broker) -> None:
    client = await broker.client()
    request = api.CommandPartitionedTopicMetadata(topic="x", request_id=5)
    reply = await client.ask(request)
    assert (reply.request_id, reply.response, reply.partitions) == (5, Partitions.Success, 0)
    request.metadata_auto_creation_enabled = False
    reply = await client.ask(request)
    assert (reply.request_id, reply.response) == (5, Partitions.Failed)
    assert (reply.error, reply.message) == (ErrorCode.TOPIC_NOT_FOUND, "")
    request.topic = "a/b"
    assert (await client.ask(request)).error == ErrorCode.INVALID_TOPIC_NAME
