"""Entries made of messages, opened again."""

from typing import Any

import pytest
from magnetar_broker.inner_client.opened import messages_of
from magnetar_broker.inner_client.outgoing import (
    Outgoing,
    delivery_time_ms,
    entry_of,
    entry_of_batch,
    most_head_bytes,
)
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.errors import PayloadError
from magnetar_proto.payloads import parse_metadata

HEAD = api.CommandMessage(
    consumer_id=1, message_id=api.MessageIdData(ledgerId=3, entryId=4), redelivery_count=2
)


def opened(payload: bytes, **fields: Any) -> list[Any]:
    head = api.CommandMessage()
    head.CopyFrom(HEAD)
    head.ack_set.extend(fields.pop("ack_set", ()))
    return messages_of(head, payload, "t", most_bytes=10_000)


def entry(message: Outgoing, compression: int = 0) -> bytes:
    return entry_of(
        message, producer_name="p", sequence_id=7, publish_time_ms=8, compression=compression
    )


def test_a_message_with_everything() -> None:
    message = Outgoing(
        b"body",
        key="k",
        properties={"a": "b"},
        event_time_ms=9,
        deliver_at_ms=10,
        replicate_to=["x"],
    )
    payload = entry(message, api.CompressionType.ZLIB)
    metadata, _ = parse_metadata(payload)
    assert (metadata.deliver_at_time, list(metadata.replicate_to)) == (10, ["x"])
    (found,) = opened(payload)
    assert (found.body, found.key, found.properties) == (b"body", "k", {"a": "b"})
    assert (found.publish_time_ms, found.event_time_ms, found.sequence_id) == (8, 9, 7)
    assert (found.redelivery_count, found.id.ledgerId, found.id.entryId) == (2, 3, 4)


@pytest.mark.parametrize(
    ("at_ms", "after_ms", "expected"),
    [(0, 0, 0), (70, 0, 70), (70, 5, 70), (0, 5, 105), (0, 2**63 - 1, 2**63 - 1), (-1, -1, 0)],
)
def test_delivery_time(at_ms: int, after_ms: int, expected: int) -> None:
    assert delivery_time_ms(100, at_ms=at_ms, after_ms=after_ms) == expected


def test_a_batch_without_those_that_are_acked() -> None:
    messages = [(Outgoing(bytes([number]), key=str(number)), number) for number in range(70)]
    payload = entry_of_batch(messages, producer_name="p", publish_time_ms=8, compression=1)
    assert [each.key for each in opened(payload)] == [str(number) for number in range(70)]
    some = opened(payload, ack_set=[1 << 3, 1 << 2])
    assert [each.id.batch_index for each in some] == [3, 66]
    assert some[0].id.batch_size == 70
    assert not messages[0][0].deliver_at_ms
    assert messages[0][0].batchable


@pytest.mark.parametrize("compression", [0, api.CompressionType.ZLIB])
def test_a_plain_message_alone_and_in_a_batch(compression: int) -> None:
    payload = entry(Outgoing(b"body"), compression)
    metadata, _ = parse_metadata(payload)
    assert (metadata.producer_name, metadata.sequence_id, metadata.publish_time) == ("p", 7, 8)
    assert [each.body for each in opened(payload)] == [b"body"]
    both = [(Outgoing(b"a"), 7), (Outgoing(b"b", properties={"c": "d"}), 8), (Outgoing(b""), 9)]
    payload = entry_of_batch(both, producer_name="p", publish_time_ms=8, compression=compression)
    found = [(each.body, each.properties, each.sequence_id) for each in opened(payload)]
    assert found == [(b"a", {}, 7), (b"b", {"c": "d"}, 8), (b"", {}, 9)]


@pytest.mark.parametrize(
    "message",
    [
        Outgoing(b""),
        Outgoing(b"x" * 1000, key="k", key_is_base64=True, event_time_ms=2**62),
        Outgoing(b"x", key="ä" * 300, properties={"😀" * 300: "", "p": "v" * 70_000}),
    ],
)
def test_a_batch_takes_no_more_than_was_counted(message: Outgoing) -> None:
    name = "ä" * 300
    payload = entry_of_batch(
        [(message, 2**62), (message, 2**62 + 1)],
        producer_name=name,
        publish_time_ms=2**62,
        compression=api.CompressionType.NONE,
    )
    _, begin = parse_metadata(payload)
    assert begin <= most_head_bytes(name)
    assert len(payload) - begin <= 2 * message.most_bytes


def test_what_its_sender_encrypted_is_passed_on_closed() -> None:
    metadata = api.MessageMetadata(producer_name="", sequence_id=0, publish_time=0)
    for name in ("producer_name", "sequence_id", "publish_time"):
        metadata.ClearField(name)  # type: ignore[arg-type]
    metadata.encryption_keys.add(key="k", value=b"v")
    message = Outgoing(b"\x00secret", encrypted=metadata)
    assert not message.batchable
    (found,) = opened(entry(message, api.CompressionType.ZLIB))
    assert found.body == b"\x00secret"
    assert found.encryption.encryption_keys[0].key == "k"


def test_a_damaged_entry_is_refused() -> None:
    payload = bytearray(entry(Outgoing(b"body")))
    payload[-1] ^= 1
    with pytest.raises(PayloadError, match="checksum"):
        opened(bytes(payload))
