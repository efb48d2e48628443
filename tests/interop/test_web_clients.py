"""Web clients and official clients on the same topics: batches and compression both ways."""

import asyncio
import base64
import json
from typing import Any

import aiohttp
import pulsar
import pytest

from bench.servers import Magnetar, Server
from tests.interop.official import Session

pytestmark = pytest.mark.official

TYPES = {
    "NONE": pulsar.CompressionType.NONE,
    "LZ4": pulsar.CompressionType.LZ4,
    "ZLIB": pulsar.CompressionType.ZLib,
    "ZSTD": pulsar.CompressionType.ZSTD,
    "SNAPPY": pulsar.CompressionType.SNAPPY,
}
COUNT = 20


async def _consumed(server: Server, name: str) -> list[Any]:
    """All messages of a topic by a WebSocket, acked."""
    url = f"{server.web_url}/ws/v2/consumer/persistent/public/default/{name}/web"
    found = []
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}?subscriptionInitialPosition=Earliest") as socket,
    ):
        while len(found) < COUNT:
            frame = json.loads(await socket.receive_str(timeout=10))
            found.append(frame)
            await socket.send_json({"messageId": frame["messageId"]})
        await socket.send_json({"type": "isEndOfTopic"})
        await socket.receive(timeout=10)  # the acks before it are done
    return found


async def _produced(server: Server, name: str, compression: str) -> None:
    url = f"{server.web_url}/ws/v2/producer/persistent/public/default/{name}"
    query = f"batchingEnabled=true&batchingMaxMessages=5&compressionType={compression}"
    query += "&batchingMaxPublishDelay=1000"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}?{query}") as socket,
    ):
        for number in range(COUNT):
            body = base64.b64encode(b"body %d" % number).decode()
            frame = {"payload": body, "key": f"k{number}", "properties": {"n": str(number)}}
            await socket.send_json(frame)
        for _ in range(COUNT):
            answer = json.loads(await socket.receive_str(timeout=10))
            assert answer["result"] == "ok", answer


@pytest.mark.parametrize("compression", TYPES)
def test_batches_of_official_producers_are_opened(
    magnetar_standalone: Magnetar, compression: str
) -> None:
    name = f"web-in-{compression}"
    with Session(magnetar_standalone) as session:
        producer = session.client.create_producer(
            f"persistent://public/default/{name}",
            batching_enabled=True,
            batching_max_messages=5,
            batching_max_publish_delay_ms=1000,
            compression_type=TYPES[compression],
        )
        for number in range(COUNT):
            body, properties = b"body %d" % number, {"n": str(number)}
            producer.send_async(body, None, partition_key=f"k{number}", properties=properties)
        producer.flush()
        found = asyncio.run(_consumed(magnetar_standalone, name))
    for number, frame in enumerate(found):
        assert base64.b64decode(frame["payload"]) == b"body %d" % number
        assert (frame["key"], frame["properties"]) == (f"k{number}", {"n": str(number)})


@pytest.mark.parametrize("compression", TYPES)
def test_official_consumers_open_the_batches_of_web_producers(
    magnetar_standalone: Magnetar, compression: str
) -> None:
    name = f"web-out-{compression}"
    asyncio.run(_produced(magnetar_standalone, name, compression))
    with Session(magnetar_standalone) as session:
        consumer = session.client.subscribe(
            f"persistent://public/default/{name}",
            "s",
            initial_position=pulsar.InitialPosition.Earliest,
        )
        for number in range(COUNT):
            message = consumer.receive(10_000)
            assert message.data() == b"body %d" % number
            assert message.partition_key() == f"k{number}"
            assert message.properties() == {"n": str(number)}
            assert message.message_id().batch_index() == number % 5
            consumer.acknowledge(message)
