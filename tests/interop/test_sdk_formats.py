"""The SDK and other clients read each other: compression and schemas, on Magnetar and on Apache.

The Java tools take part on Magnetar: one JVM reads all that the SDK has compressed, one
writes what the SDK reads.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import magnetar
import magnetar.schema as ours
import pulsar
import pulsar.schema as official
import pytest
from magnetar import CompressionType, InitialPosition, MessageId

from bench.servers import Server
from tests.interop.java_tools import client_batch, tool

pytestmark = pytest.mark.interop

CONTENT = b"hello " * 200
KINDS = list(CompressionType)
TIMEOUT_MS = 20_000


class Ours(ours.Record):
    number = ours.Integer(required=True)
    name = ours.String()


class Theirs(official.Record):
    number = official.Integer(required=True)
    name = official.String()


# One schema: the name of the class is part of it.
Theirs.__name__ = Ours.__name__
SCHEMAS: list[tuple[Any, Any]] = [
    (ours.JsonSchema(Ours), official.JsonSchema(Theirs)),
    (ours.AvroSchema(Ours), official.AvroSchema(Theirs)),
    (ours.StringSchema(), official.StringSchema()),
]


def official_client(server: Server) -> pulsar.Client:
    logger = pulsar.ConsoleLogger(pulsar.LoggerLevel.Error)
    return pulsar.Client(server.service_url, logger=logger)


async def test_compression_both_ways(broker: Server, new_topic: Callable[[], str]) -> None:
    to_official, to_sdk = new_topic(), new_topic()
    client = official_client(broker)
    consumer = client.subscribe(to_official, "s")
    async with magnetar.Client(broker.service_url) as sdk:
        for kind in KINDS:
            producer = await sdk.create_producer(to_official, compression_type=kind)
            await producer.send(CONTENT, properties={"kind": kind.name})
            theirs = client.create_producer(
                to_sdk, compression_type=getattr(pulsar.CompressionType, kind.name)
            )
            theirs.send(CONTENT, properties={"kind": kind.name})
            message = consumer.receive(TIMEOUT_MS)
            assert (message.data(), message.properties()) == (CONTENT, {"kind": kind.name})
        reader = await sdk.create_reader(to_sdk, MessageId.earliest)
        got = [await reader.read_next(TIMEOUT_MS) for _ in KINDS]
        assert [each.data() for each in got] == [CONTENT] * len(KINDS)
        assert [each.properties()["kind"] for each in got] == [kind.name for kind in KINDS]
    client.close()


# The official client asks for the schema of an Avro message; without a registry (Magnetar has none
# yet) it says so by a deprecated method, and decodes with its own.
@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")
@pytest.mark.parametrize("schemas", SCHEMAS, ids=lambda pair: str(pair[0]))
async def test_schemas_both_ways(
    broker: Server, new_topic: Callable[[], str], schemas: tuple[Any, Any]
) -> None:
    topic, (our_schema, their_schema) = new_topic(), schemas
    text = isinstance(our_schema, ours.StringSchema)
    client = official_client(broker)
    async with magnetar.Client(broker.service_url) as sdk:
        their_consumer = client.subscribe(topic, "theirs", schema=their_schema)
        our_consumer = await sdk.subscribe(
            topic, "ours", schema=our_schema, initial_position=InitialPosition.Earliest
        )
        producer = await sdk.create_producer(topic, schema=our_schema)
        await producer.send("one" if text else Ours(number=1, name="one"))
        theirs = client.create_producer(topic, schema=their_schema)
        theirs.send("two" if text else Theirs(number=2, name="two"))
        for number, name in ((1, "one"), (2, "two")):
            their_value = their_consumer.receive(TIMEOUT_MS).value()
            our_message = await our_consumer.receive(TIMEOUT_MS)
            if text:
                assert their_value == our_message.value() == name
            else:
                assert (their_value.number, their_value.name) == (number, name)
                assert our_message.value() == Ours(number=number, name=name)
    client.close()


async def test_java_reads_what_the_sdk_compressed(
    magnetar_standalone: Server, new_topic: Callable[[], str], tmp_path: Path
) -> None:
    topic = new_topic()
    async with magnetar.Client(magnetar_standalone.service_url) as sdk:
        for kind in KINDS:
            producer = await sdk.create_producer(topic, compression_type=kind)
            await producer.send(kind.name.encode() * 100)
    line = f"consume -s s -p Earliest -n {len(KINDS)} {topic}"
    [outcome] = client_batch(magnetar_standalone, tmp_path, [line])
    assert outcome.exit_code == 0
    for kind in KINDS:
        assert f"content:{kind.name * 100}" in outcome.output


async def test_the_sdk_reads_what_java_compressed(
    magnetar_standalone: Server, new_topic: Callable[[], str], tmp_path: Path
) -> None:
    topic, kind = new_topic(), CompressionType.LZ4
    options = ["-m", "50", "-r", "1000", "-s", "2000", "-z", kind.name]
    tool(magnetar_standalone, tmp_path, "perf", "produce", *options, topic)
    async with magnetar.Client(magnetar_standalone.service_url) as sdk:
        reader = await sdk.create_reader(topic, MessageId.earliest)
        count = 0
        while await reader.has_message_available():
            message = await reader.read_next(TIMEOUT_MS)
            assert message.size_bytes == 2000
            assert message._metadata.compression == kind
            count += 1
    assert count >= 50
