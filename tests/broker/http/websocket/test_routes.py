"""Paths and refusals of WebSockets; more of them, beside Pulsar's, in `tests/differential`."""

import aiohttp
import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.web_config import WebConfig

from tests.broker.http.web_world import until, web_world

PATH = "producer/persistent/public/default/t"


async def test_a_plain_request_is_told_what_this_is() -> None:
    async with web_world() as world:
        status, answer = await world.ask("GET", f"/ws/v2/{PATH}")
        assert (status, answer["reason"]) == (405, "This is a WebSocket; ask for an upgrade")


async def test_more_sockets_than_may_be_are_refused_until_one_goes() -> None:
    async with web_world(BrokerConfig(web=WebConfig(max_sockets=1))) as world:
        first = await world.socket(PATH)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await world.socket(PATH)
        assert refused.value.status == 429
        await first.close()
        await (await world.socket(PATH)).close()


async def test_switched_off() -> None:
    async with web_world(BrokerConfig(web=WebConfig(websockets=False))) as world:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await world.socket(PATH)
        assert refused.value.status == 404


async def test_sockets_are_told_when_the_server_stops() -> None:
    async with web_world() as world:
        socket = await world.socket(PATH)
        application = world.http.server.app  # type: ignore[attr-defined]
        await application.shutdown()
        message = await socket.receive(timeout=5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)


async def test_an_upgrade_that_fails_leaves_no_consumer_behind() -> None:
    """Scenario: the peer gave up while its topic was loaded, or its handshake lacks a header. Its
    consumer would hold messages, and keep an exclusive subscription, for ever."""
    async with web_world() as world:
        path = "/ws/v2/consumer/persistent/public/default/t/s"
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        assert (await world.ask("GET", path, headers=headers))[0] == 400
        (topic,) = world.service.topics.loaded.values()
        await until(lambda: not topic.subscriptions["s"].consumers)
