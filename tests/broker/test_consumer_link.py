import asyncio

from magnetar_broker.connection import Connection
from magnetar_broker.consumer_link import ConsumerLink

from tests.broker.conftest import Broker
from tests.broker.consuming import FakeLink


async def test_a_connection_is_a_link(broker: Broker) -> None:
    client = await broker.client()
    link: ConsumerLink = client.connection  # checked by mypy too
    assert isinstance(link, Connection)
    members = [name for name in vars(ConsumerLink) if not name.startswith("_")]
    members += ConsumerLink.__annotations__
    assert len(members) > 5
    for name in members:
        assert hasattr(link, name), name
        assert hasattr(FakeLink(), name), name


async def test_what_is_sent_leaves_together(broker: Broker) -> None:
    client = await broker.client()
    link: ConsumerLink = client.connection
    writes = client.transport.writes
    link.send(b"a")
    link.send_parts([b"b", b"c"], 1)
    assert client.transport.writes == writes
    await asyncio.sleep(0)
    assert client.transport.writes == writes + 1
    assert bytes(client.transport.written[-3:]) == b"abc"
    client.transport.written.clear()
