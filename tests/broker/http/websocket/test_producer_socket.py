"""The socket of a producer."""

import asyncio
import json
from typing import Any
from unittest.mock import patch

import aiohttp
from magnetar_broker.http.websocket import producer_socket

from tests.broker.http.web_world import until, web_world

PATH = "producer/persistent/public/default/t"


async def _answer(socket: aiohttp.ClientWebSocketResponse) -> Any:
    return json.loads(await socket.receive_str(timeout=5))


async def test_receipts_come_in_order_with_their_contexts() -> None:
    async with web_world() as world:
        socket = await world.socket(f"{PATH}?producerName=me")
        for number in range(100):
            await socket.send_json({"payload": "aGk=", "context": str(number)})
        answers = [await _answer(socket) for _ in range(100)]
        assert [each["context"] for each in answers] == [str(number) for number in range(100)]
        assert {each["result"] for each in answers} == {"ok"}
        await socket.send_json({"payload": "!", "context": "bad"})
        assert (await _answer(socket))["result"] == "send-error:7"
        (topic,) = world.service.topics.loaded.values()
        assert list(topic.producers) == ["me"]
        await socket.close()
        await until(lambda: not topic.producers)


async def test_bytes_are_taken_as_text_and_pings_are_answered() -> None:
    async with web_world() as world:
        socket = await world.http.ws_connect(f"/ws/v2/{PATH}", autoping=False)
        await socket.send_bytes(b'{"payload":""}')
        assert (await _answer(socket))["result"] == "ok"
        await socket.ping(b"x")
        message = await socket.receive(timeout=5)
        assert (message.type, bytes(message.data)) == (aiohttp.WSMsgType.PONG, b"x")
        await socket.close()


async def test_what_cannot_be_compressed_is_answered() -> None:
    async with web_world() as world:
        socket = await world.socket(f"{PATH}?batchingEnabled=true&compressionType=ZLIB")
        await socket.send_json({"payload": "aGk="})
        assert (await _answer(socket))["result"] == "ok"
        await socket.close()
        await asyncio.sleep(0)


async def test_a_peer_that_reads_no_answers_is_not_read_for_ever() -> None:
    async with web_world() as world:
        with patch.object(producer_socket, "_MOST_HELD_BYTES", 10_000):
            socket = await world.socket(PATH)
            frame = json.dumps({"payload": "", "context": "x" * 4000})
            for _ in range(20):
                await socket.send_str(frame)
            answers = [await _answer(socket) for _ in range(20)]
            assert {each["result"] for each in answers} == {"ok"}
            await socket.close()
