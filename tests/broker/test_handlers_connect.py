"""The handshake and signs of life, as the functions that handle them."""

from magnetar_broker.handler_table import CONNECTED_HANDLERS, HANDSHAKE_HANDLERS
from magnetar_broker.handlers_connect import PROTOCOL_VERSION
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.client import kind_of
from tests.broker.conftest import Broker


async def test_connect_opens_the_other_commands(broker: Broker) -> None:
    client = broker.new_client()
    assert client.connection.handlers is HANDSHAKE_HANDLERS
    reply = await client.ask(
        api.CommandConnect(
            client_version="Pulsar-CPP-v4.2.0",
            protocol_version=19,
            auth_method_name="token",
            auth_data=b"ignored without authentication",
            proxy_to_broker_url="pulsar://localhost:6650",
        )
    )
    assert kind_of(reply) == "connected"
    assert client.connection.handlers is CONNECTED_HANDLERS
    assert client.connection.client_version == "Pulsar-CPP-v4.2.0"
    assert client.connection.protocol_version == 19 < PROTOCOL_VERSION


async def test_commands_in_the_chunk_of_connect_are_taken(broker: Broker) -> None:
    client = broker.new_client()
    client.send(
        api.CommandConnect(client_version="x", protocol_version=21),
        api.CommandPing(),
        api.CommandPong(),
        api.CommandLookupTopic(topic="x", request_id=1),
    )
    replies = [kind_of(reply) for reply in await client.turn()]
    assert replies == ["connected", "pong", "lookup_response"]
