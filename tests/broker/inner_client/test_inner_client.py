"""The way to the broker that serves a topic."""

import asyncio

import pytest
from magnetar_broker.errors import ServiceNotReadyError
from magnetar_broker.topic_name import NamespaceName
from magnetar_runtime.network import SystemNetwork

from tests.broker.inner_client.inner_world import NAME, inner_world


async def test_a_broker_sees_the_web_client_and_not_itself() -> None:
    async with inner_world() as inner:
        await inner.producer()
        (connection,) = inner.service.connections
        assert connection.remote_address == "1.2.3.4:5"
        assert connection.client_version == "Magnetar-HTTP"


async def test_many_who_ask_at_once_share_a_connection() -> None:
    async with inner_world() as inner:
        ways = [inner.client.connection_for(NAME) for _ in range(5)]
        assert len({id(each) for each in await asyncio.gather(*ways)}) == 1


async def test_a_topic_of_another_broker_is_reached_through_a_socket() -> None:
    async with inner_world() as here, inner_world() as there:
        listener = await SystemNetwork().listen(there.service.new_connection, "127.0.0.1", 0)
        url = f"pulsar://127.0.0.1:{listener.ports[0]}"
        connection = await here.client._to(url)
        assert connection in here.client.connections
        assert connection._timer is not None
        assert (await here.client._local())._timer is None  # a pipe does not fall silent
        assert len(there.service.connections) == 1
        assert len(here.service.connections) == 1
        here.client.close()
        listener.close()
        with pytest.raises(ServiceNotReadyError, match="is gone"):
            await here.client._to(url)


async def test_a_broker_that_is_not_there() -> None:
    async with inner_world() as inner:
        with pytest.raises(ServiceNotReadyError, match="cannot be reached"):
            await inner.client._to("pulsar://127.0.0.1:1")


async def test_partitions_and_topics_by_pattern() -> None:
    async with inner_world() as inner:
        assert await inner.client.partitions(NAME) == 0
        await inner.producer()
        found = await inner.client.topics_like(
            NamespaceName("public", "default"), "public/default/t"
        )
        assert found == [str(NAME)]
