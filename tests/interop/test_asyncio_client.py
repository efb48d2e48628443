"""The asyncio face of the official client, which many services use."""

import asyncio
from collections.abc import AsyncIterator

import pulsar.asyncio
import pytest
from pulsar import ConsumerType, InitialPosition, MessageId

from bench.servers import Server
from tests.interop.official import number_of, payload_of

TIMEOUT_S = 20.0


@pytest.fixture
async def client(broker: Server) -> AsyncIterator[pulsar.asyncio.Client]:
    """An asyncio client connected to `broker`."""
    client = pulsar.asyncio.Client(
        broker.service_url, logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error)
    )
    yield client
    await client.close()


async def test_send_receive_and_seek(client: pulsar.asyncio.Client, topic: str) -> None:
    consumer = await client.subscribe(
        [topic], "sub", initial_position=InitialPosition.Earliest, consumer_type=ConsumerType.Shared
    )
    producer = await client.create_producer(topic)  # batches by default
    await asyncio.gather(*(producer.send(payload_of(number)) for number in range(100)))
    numbers = []
    for _ in range(100):
        message = await asyncio.wait_for(consumer.receive(), TIMEOUT_S)
        numbers.append(number_of(message))
        await consumer.acknowledge(message)
    assert sorted(numbers) == list(range(100))
    await consumer.seek(
        MessageId(-1, -1, -1, -1)
    )  # `MessageId.earliest` is of the wrong class here
    assert number_of(await asyncio.wait_for(consumer.receive(), TIMEOUT_S)) == 0
    await consumer.unsubscribe()


async def test_a_reader(client: pulsar.asyncio.Client, topic: str) -> None:
    producer = await client.create_producer(topic)
    for number in range(5):
        await producer.send(payload_of(number))
    reader = await client.create_reader(topic, MessageId.earliest)
    numbers = []
    while await reader.has_message_available():
        numbers.append(number_of(await asyncio.wait_for(reader.read_next(), TIMEOUT_S)))
    assert numbers == list(range(5))
