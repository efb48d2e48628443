"""What the official client makes of messages: batches by key, compression, encryption, schemas."""

import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pulsar
import pytest
from pulsar import BatchingType, CompressionType, ConsumerType, CryptoKeyReader
from pulsar.schema import BytesSchema, Integer, JsonSchema, Record, Schema, String, StringSchema

from tests.interop.official import (
    RECEIVE_TIMEOUT_MS,
    Session,
    receive_numbers,
    receive_shares,
    send_numbers,
    wait_until,
)

both_ways = pytest.mark.parametrize("batched", [False, True], ids=["single", "batched"])
COMPRESSIONS = [each for each in CompressionType.__members__.values() if each.name != "NONE"]


@both_ways
@pytest.mark.parametrize("compression", COMPRESSIONS, ids=lambda each: each.name)
def test_every_compression_passes_through(
    session: Session, topic: str, compression: CompressionType, batched: bool
) -> None:
    consumer = session.consumer(topic)
    producer = session.producer(topic, batched=batched, compression_type=compression)
    send_numbers(producer, range(100))
    assert receive_numbers(consumer, 100) == list(range(100))


def _by_key(messages: Iterable[pulsar.Message]) -> dict[str, list[pulsar.Message]]:
    found: dict[str, list[pulsar.Message]] = defaultdict(list)
    for message in messages:
        found[message.ordering_key() or message.partition_key()].append(message)
    return found


def _send_keyed(producer: pulsar.Producer, count: int, **key_of: object) -> None:
    results: list[pulsar.Result] = []
    for number in range(count):
        keys = {name: f"{prefix}-{number % 10}" for name, prefix in key_of.items()}
        producer.send_async(b"%d" % number, lambda result, _: results.append(result), **keys)
    producer.flush()
    wait_until(lambda: len(results) == count)
    assert set(results) == {pulsar.Result.Ok}


def test_batches_by_key_go_to_the_consumer_of_the_key(session: Session, topic: str) -> None:
    consumers = [session.consumer(topic, ConsumerType.KeyShared) for _ in range(2)]
    producer = session.producer(
        topic, batched=True, batching_type=BatchingType.KeyBased, batching_max_messages=1000
    )
    _send_keyed(producer, 200, partition_key="key")
    shares = [_by_key(share) for share in receive_shares(consumers, 200)]
    assert sorted([*shares[0], *shares[1]]) == [f"key-{digit}" for digit in range(10)]
    entries: set[tuple[int, int]] = set()
    for key, messages in [*shares[0].items(), *shares[1].items()]:
        assert [int(each.data()) for each in messages] == list(range(int(key[-1]), 200, 10))
        places = {
            (each.message_id().ledger_id(), each.message_id().entry_id()) for each in messages
        }
        assert len(places) < len(messages), "not batched"
        assert not places & entries, "two keys in one batch"
        entries |= places


def test_the_ordering_key_comes_before_the_partition_key(session: Session, topic: str) -> None:
    consumers = [session.consumer(topic, ConsumerType.KeyShared) for _ in range(2)]
    producer = session.producer(topic, batched=False)
    for number in range(200):
        producer.send_async(
            b"%d" % number,
            lambda *_: None,
            ordering_key=f"order-{number % 10}",
            partition_key=f"key-{number}",
        )
    producer.flush()
    shares = [_by_key(share) for share in receive_shares(consumers, 200)]
    assert sorted([*shares[0], *shares[1]]) == [f"order-{digit}" for digit in range(10)]
    for key, messages in [*shares[0].items(), *shares[1].items()]:
        assert [int(each.data()) for each in messages] == list(range(int(key[-1]), 200, 10))
        assert all(each.partition_key().startswith("key-") for each in messages)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An RSA key pair: the files of the public and of the private one."""
    if shutil.which("openssl") is None:
        pytest.skip("makes its keys with openssl, which is not there")
    directory = tmp_path_factory.mktemp("keys")
    private, public = directory / "private.pem", directory / "public.pem"
    for arguments in (
        ["genrsa", "-traditional", "-out", str(private), "2048"],
        ["rsa", "-in", str(private), "-pubout", "-out", str(public)],
    ):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
    return public, private


@both_ways
def test_encrypted_messages_pass_through(
    session: Session, topic: str, keys: tuple[Path, Path], batched: bool
) -> None:
    reader = CryptoKeyReader(*map(str, keys))
    producer = session.producer(
        topic,
        batched=batched,
        encryption_key="the key",
        crypto_key_reader=reader,
        compression_type=CompressionType.ZSTD,
    )
    consumer = session.consumer(topic, crypto_key_reader=reader)
    send_numbers(producer, range(50))
    assert receive_numbers(consumer, 50) == list(range(50))
    raw = session.consumer(
        topic,
        name="raw",
        crypto_failure_action=pulsar.ConsumerCryptoFailureAction.CONSUME,
    )
    message = raw.receive(timeout_millis=RECEIVE_TIMEOUT_MS)
    assert b"x" * 80 not in message.data()
    (key,) = message.encryption_context().keys()
    assert key.key == "the key"


class Person(Record):
    """Something with fields."""

    name = String()
    age = Integer()


@both_ways
@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (BytesSchema(), b"\x00\xff"),
        (StringSchema(), "wörter"),
        (JsonSchema(Person), Person(name="Ada", age=36)),
    ],
    ids=["bytes", "string", "json"],
)
def test_values_of_a_schema_come_back(
    session: Session, topic: str, schema: Schema, value: object, batched: bool
) -> None:
    consumer = session.client.subscribe(topic, "sub", schema=schema)
    producer = session.client.create_producer(topic, schema=schema, batching_enabled=batched)
    producer.send(value)
    message = consumer.receive(timeout_millis=RECEIVE_TIMEOUT_MS)
    assert message.value() == value
    consumer.acknowledge(message)


def test_an_event_time_does_not_move_the_publish_time(session: Session, topic: str) -> None:
    consumer = session.consumer(topic)
    session.producer(topic, batched=True).send(b"", event_timestamp=1, properties={"": ""})
    message = consumer.receive(timeout_millis=RECEIVE_TIMEOUT_MS)
    assert message.event_timestamp() == 1
    assert message.publish_timestamp() > 1_700_000_000_000
    assert message.properties() == {"": ""}
    assert message.data() == b""
