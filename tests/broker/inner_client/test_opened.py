"""Entries as consumers get them. What `test_outgoing` makes is opened there."""

import orjson
import pytest
from magnetar_broker.http.messages.received import raw_headers, text_object
from magnetar_broker.http.websocket.frames import message_text
from magnetar_broker.inner_client.opened import messages_of
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.batches import join_batch
from magnetar_proto.payloads import encode_payload
from magnetar_proto.sends import with_checksum

_REQUIRED = api.MessageMetadata(producer_name="p", sequence_id=5, publish_time=1)
_PLACE = api.MessageIdData(ledgerId=1, entryId=2, partition=-1)
# Fields that are no UTF-8: of a message by itself, and of one in a batch.
_KEY = b"\x32\x02k\xff"
_PROPERTY = b"\x22\x08\x0a\x02n\xff\x12\x02v\xff"
_NAME = b"\x0a\x02p\xff"
_KEYS = b"\x6a\x0d\x0a\x02k\xff\x12\x01x\x1a\x04\x0a\x00\x12\x00" + b"\x72\x02a\xff"
_SINGLE_KEY = b"\x12\x02k\xff"
_SINGLE_PROPERTY = b"\x0a\x08\x0a\x02n\xff\x12\x02v\xff"


def test_messages_of_a_batch_that_were_compacted_out_are_left_out() -> None:
    singles = [
        (api.SingleMessageMetadata(payload_size=0, compacted_out=gone), b"x")
        for gone in (True, False)
    ]
    metadata = api.MessageMetadata(
        producer_name="p", sequence_id=5, publish_time=1, num_messages_in_batch=2
    )
    place = api.MessageIdData(ledgerId=1, entryId=2, partition=4)
    head = api.CommandMessage(consumer_id=1, message_id=place)
    payload = encode_payload(metadata, join_batch(singles))
    (found,) = messages_of(head, payload, "t", most_bytes=100)
    assert (found.id.batch_index, found.id.partition, found.sequence_id) == (1, 4, 6)
    assert found.size_bytes > 0


@pytest.mark.parametrize("batch", [False, True])
def test_texts_that_are_no_utf8_become_texts(batch: bool) -> None:
    """Scenario: one such message failed every poll of an HTTP consumer and every WebSocket."""
    metadata, body = _REQUIRED.SerializeToString() + _NAME + _KEY + _PROPERTY, b"x"
    if batch:
        single = api.SingleMessageMetadata.FromString(b"\x18\x01" + _SINGLE_KEY + _SINGLE_PROPERTY)
        body = join_batch([(single, b"x")])
        metadata = _REQUIRED.SerializeToString() + b"\x58\x01" + _NAME
    (found,) = messages_of(
        api.CommandMessage(consumer_id=1, message_id=_PLACE),
        with_checksum(metadata, body),
        "t",
        most_bytes=100,
    )
    assert found.key == "k\ufffd"
    assert found.properties == {"n\ufffd": "v\ufffd"}
    assert found.producer_name == "p\ufffd"
    assert orjson.loads(message_text(found))["key"] == "k\ufffd"
    assert raw_headers(found)["X-Properties"]


def test_an_encrypted_message_whose_texts_are_no_utf8_is_told() -> None:
    metadata = _REQUIRED.SerializeToString() + _KEYS
    head = api.CommandMessage(consumer_id=1, message_id=_PLACE)
    (found,) = messages_of(head, with_checksum(metadata, b"x"), "t", most_bytes=100)
    context = text_object(found, base64=False)["encryptionContext"]
    assert list(context["keys"]) == ["k\ufffd"]
    assert orjson.dumps(context)
