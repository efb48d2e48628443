"""A program as users write it; it must pass `mypy --strict` as it is (see test_typing.py)."""

from contextlib import suppress
from dataclasses import dataclass
from typing import assert_type

from magnetar import (
    Client,
    CompressionType,
    Consumer,
    ConsumerType,
    Message,
    MessageId,
    Producer,
    PulsarException,
    Reader,
    Timeout,
)
from magnetar.schema import AvroSchema, Integer, JsonSchema, Record, String


@dataclass
class Order:
    item: str


class Point(Record):
    x = Integer(required=True)
    name = String()


async def main() -> None:
    async with Client("pulsar://localhost:6650") as client:
        producer = await client.create_producer(
            "t", schema=JsonSchema(Order), compression_type=CompressionType.LZ4
        )
        assert_type(producer, Producer)
        assert_type(await producer.send(Order("x"), partition_key="k"), MessageId)
        assert_type(await producer.send_nowait(b"x"), MessageId)
        consumer = await client.subscribe("t", "s", consumer_type=ConsumerType.Shared)
        assert_type(consumer, Consumer)
        async for message in consumer:
            assert_type(message, Message)
            assert_type(message.data(), bytes)
            assert_type(message.properties(), dict[str, str])
            await consumer.acknowledge(message.message_id())
        with suppress(Timeout, PulsarException):
            await consumer.receive(timeout=1.0)
        reader = await client.create_reader("t", MessageId.earliest)
        assert_type(reader, Reader)
        assert_type(await reader.has_message_available(), bool)


def schemas() -> None:
    assert_type(JsonSchema(Order).decode(b""), Order)
    assert_type(AvroSchema(Point).decode(b""), Point)
    assert_type(Point(x=1).x, int | None)
    assert_type(Point().name, str | None)
