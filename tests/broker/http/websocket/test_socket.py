"""The life of a socket: idle ones end, a peer that does not read is bounded."""

import asyncio

import aiohttp
from magnetar_broker.config import BrokerConfig
from magnetar_broker.web_config import WebConfig

from tests.broker.http.web_world import until, web_world

PATH = "producer/persistent/public/default/t"


async def test_a_silent_socket_is_closed_and_a_ping_keeps_it() -> None:
    config = BrokerConfig(web=WebConfig(idle_timeout_ms=700))
    async with web_world(config) as world:
        silent, lively = await world.socket(PATH), await world.socket(PATH)
        waits = asyncio.ensure_future(silent.receive(timeout=5))
        while not waits.done():
            await lively.ping()
            await asyncio.sleep(0.02)
        message = await waits
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        assert "Idle" in str(message.extra)
        await lively.send_json({"payload": ""})
        assert (await lively.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT
        await lively.close()


async def test_a_frame_that_is_too_large_costs_its_socket() -> None:
    config = BrokerConfig(web=WebConfig(max_frame_bytes=1000))
    async with web_world(config) as world:
        socket = await world.socket(PATH)
        await socket.send_str("x" * 1001)
        message = await socket.receive(timeout=5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)
        (topic,) = world.service.topics.loaded.values()
        await until(lambda: not topic.producers)
