"""Lookup, partition metadata, topic lists."""

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import ErrorCode
from magnetar_metadata.broker_addresses import Urls
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.limits import Limits

from tests.broker.client import kind_of
from tests.broker.conftest import Broker, StartBroker
from tests.broker.ownership.conftest import Cluster, Member, cluster, one, two

__all__ = ["cluster", "one", "two"]

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


async def test_lookup_by_a_listener(start_broker: StartBroker) -> None:
    listeners = {
        "in": Urls(broker="pulsar://10.0.0.1:1"),
        "out": Urls(broker="pulsar://example.org:2", broker_tls="pulsar+ssl://example.org:3"),
    }
    broker = await start_broker(BrokerConfig(listeners=listeners))
    client = await broker.client()
    reply = await client.ask(api.CommandLookupTopic(topic="any", request_id=5))
    assert (reply.brokerServiceUrl, reply.brokerServiceUrlTls) == ("pulsar://10.0.0.1:1", "")
    request = api.CommandLookupTopic(topic="any", request_id=5, advertised_listener_name="out")
    reply = await client.ask(request)
    assert reply.brokerServiceUrl == "pulsar://example.org:2"
    assert reply.brokerServiceUrlTls == "pulsar+ssl://example.org:3"


async def test_lookup_among_several_brokers(cluster: Cluster, one: Member, two: Member) -> None:
    client, other = await one.client(), await two.client()
    request = api.CommandLookupTopic(topic="any", request_id=5)
    reply = await other.ask(request)
    assert (reply.response, reply.authoritative) == (Lookup.Redirect, False)
    assert reply.brokerServiceUrl == "pulsar://one:1"
    one.ownership.leaving = True
    reply = await client.ask(request)
    assert (reply.response, reply.authoritative) == (Lookup.Redirect, True)
    assert reply.brokerServiceUrl == "pulsar://two:1"
    request.authoritative = True
    reply = await other.ask(request)
    assert (reply.response, reply.authoritative) == (Lookup.Connect, True)
    assert not reply.proxy_through_service_url
    reply = await client.ask(request)
    assert (reply.response, reply.brokerServiceUrl) == (Lookup.Connect, "pulsar://two:1")
    refused = await client.produce("any", 1)
    assert refused.error == ErrorCode.SERVICE_NOT_READY


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
