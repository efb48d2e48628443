"""The client as a whole, on real brokers."""

import asyncio
import subprocess
import sys

import magnetar
import pytest
from magnetar import Client, InitialPosition
from magnetar.errors import (
    AlreadyClosed,
    ConnectError,
    InvalidTopicName,
    InvalidUrl,
    NotAllowedError,
)

from bench.ports import free_port
from bench.servers import Server


async def test_a_message_goes_through(client: Client, topic: str) -> None:
    consumer = await client.subscribe(topic, "sub")
    producer = await client.create_producer(topic)
    sent = await producer.send(b"hello", properties={"a": "b"}, partition_key="k")
    message = await consumer.receive(timeout=10)
    await consumer.acknowledge(message)
    assert (message.data(), message.properties()) == (b"hello", {"a": "b"})
    assert message.message_id() == sent
    assert message.partition_key() == "k"
    assert message.topic_name() == producer.topic() == topic
    assert message.producer_name() == producer.producer_name()
    assert producer.is_connected()
    assert consumer.is_connected()


async def test_closing_sends_what_was_collected_and_ends_all(server: Server, topic: str) -> None:
    async with Client(server.service_url) as client:
        consumer = await client.subscribe(topic, "sub")
        producer = await client.create_producer(topic)
        futures = [producer.send_nowait(b"%d" % number) for number in range(10)]
        waiting = asyncio.create_task(consumer.receive())
        await asyncio.sleep(0)
    assert all(future.done() and not future.exception() for future in futures)
    with pytest.raises(AlreadyClosed):
        await producer.send(b"x")
    with pytest.raises(AlreadyClosed):
        await client.create_producer(topic)
    await asyncio.wait([waiting], timeout=5)
    assert waiting.done()
    async with Client(server.service_url) as again:
        consumer = await again.subscribe(topic, "sub", initial_position=InitialPosition.Earliest)
        assert (await consumer.receive(timeout=10)).data() == b"0"


async def test_nobody_listens() -> None:
    async with Client(f"pulsar://127.0.0.1:{free_port()}", operation_timeout_seconds=0.3) as client:
        with pytest.raises(ConnectError):
            await client.create_producer("x")


async def test_the_first_of_several_brokers_is_gone(server: Server, topic: str) -> None:
    url = f"pulsar://127.0.0.1:{free_port()},127.0.0.1:{server.port}"
    async with Client(url) as client:
        await (await client.create_producer(topic)).send(b"x")


async def test_what_cannot_be(client: Client, topic: str) -> None:
    with pytest.raises(InvalidUrl):
        Client("localhost:6650")
    with pytest.raises(InvalidTopicName):
        await client.create_producer("a/b")
    consumer = await client.subscribe(topic, "sub")
    with pytest.raises(magnetar.PulsarException, match="sub"):
        await client.subscribe(topic, "sub")
    await consumer.close()
    assert NotAllowedError.ends_attachment


async def test_partitions_of_a_topic(client: Client, topic: str) -> None:
    assert await client.get_topic_partitions(topic) == [topic]


async def test_shutdown_waits_for_nothing(server: Server, topic: str) -> None:
    client = Client(server.service_url)
    producer = await client.create_producer(topic)
    future = producer.send_nowait(b"x")
    client.shutdown()
    with pytest.raises(AlreadyClosed):
        await future
    await client.close()


def test_exports_are_frozen_and_exist() -> None:
    assert set(magnetar.__all__) == {
        "Authentication",
        "AuthenticationBasic",
        "AuthenticationTLS",
        "AuthenticationToken",
        "BatchingType",
        "Client",
        "CompressionType",
        "Consumer",
        "ConsumerBatchReceivePolicy",
        "ConsumerDeadLetterPolicy",
        "ConsumerKeySharedPolicy",
        "ConsumerType",
        "InitialPosition",
        "KeySharedMode",
        "Message",
        "MessageId",
        "MultiplierRedeliveryBackoff",
        "PartitionsRoutingMode",
        "Producer",
        "ProducerAccessMode",
        "PulsarException",
        "Reader",
        "RegexSubscriptionMode",
        "TableView",
        "Timeout",
    }
    for name in magnetar.__all__:
        assert getattr(magnetar, name) is not None
    with pytest.raises(AttributeError):
        magnetar.nothing  # noqa: B018


def test_importing_the_package_imports_nothing_of_it() -> None:
    code = "import sys, magnetar; print(*[m for m in sys.modules if m.startswith('magnetar')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout.split() == ["magnetar"]
