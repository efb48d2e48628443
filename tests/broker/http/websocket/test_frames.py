"""Frames of WebSockets as JSON. What Pulsar writes is compared in `tests/differential`."""

import json

import pytest
from magnetar_broker.http.websocket import frames
from magnetar_broker.http.websocket.frames import FrameTextError, SocketErrorCode
from magnetar_broker.inner_client.opened import messages_of
from magnetar_broker.inner_client.outgoing import entry_of
from magnetar_proto import pulsar_api_pb2 as api


def test_a_message_with_everything() -> None:
    text = json.dumps(
        {
            "payload": "aGk=",
            "context": 1,
            "key": "k",
            "properties": {"a": "b", "n": 1},
            "eventTime": "2025-01-02T03:04:05.678+00:00",
            "sequenceId": "7",
            "deliverAfterMs": 10,
            "replicationClusters": ["x"],
        }
    )
    message, context = frames.read_send(text, lambda: 100)
    assert (message.body, context, message.key) == (b"hi", "1", "k")
    assert message.properties == {"a": "b", "n": "1"}
    assert message.event_time_ms == 1_735_787_045_678
    assert (message.sequence_id, message.deliver_at_ms) == (7, 110)
    assert message.replicate_to == ["x"]
    at, _ = frames.read_send('{"payload":"","deliverAt":5,"disableReplication":true}', lambda: 100)
    assert (at.deliver_at_ms, at.replicate_to) == (5, ["__local__"])
    late, _ = frames.read_send('{"payload":"","deliverAfterMs":9223372036854775807}', lambda: 100)
    assert late.deliver_at_ms == 2**63 - 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[]", SocketErrorCode.READ_JSON),
        ("{", SocketErrorCode.READ_JSON),
        ("{}", SocketErrorCode.PAYLOAD_ENCODING),
        ('{"payload":"!"}', SocketErrorCode.PAYLOAD_ENCODING),
        ('{"payload":"","eventTime":"noon"}', SocketErrorCode.READ_JSON),
        ('{"payload":"","sequenceId":-5}', SocketErrorCode.READ_JSON),
        ('{"payload":"","sequenceId":99999999999999999999}', SocketErrorCode.READ_JSON),
        ('{"payload":"","properties":[]}', SocketErrorCode.READ_JSON),
        ('{"payload":"","properties":{"a":{}}}', SocketErrorCode.READ_JSON),
        ('{"payload":"","key":{}}', SocketErrorCode.READ_JSON),
        ('{"payload":"","replicationClusters":"x"}', SocketErrorCode.READ_JSON),
        ('{"payload":"","compressionType":"gzip"}', SocketErrorCode.READ_JSON),
        ('{"payload":"","encryptionParam":{}}', SocketErrorCode.READ_JSON),
        ('{"payload":"","encryptionParam":{"keys":{"k":1}}}', SocketErrorCode.READ_JSON),
        (
            '{"payload":"","encryptionParam":{"keys":{"k":{"metadata":[1]}}}}',
            SocketErrorCode.READ_JSON,
        ),
        ('{"payload":"","sequenceId":"--5"}', SocketErrorCode.READ_JSON),
    ],
)
def test_what_is_refused(text: str, code: SocketErrorCode) -> None:
    with pytest.raises(FrameTextError) as caught:
        frames.read_send(text, lambda: 0)
    assert caught.value.code == code


def test_what_its_sender_encrypted_comes_out_with_what_opens_it() -> None:
    given = {
        "payload": "aGk=",
        "compressionType": "LZ4",
        "uncompressedMessageSize": 9,
        "encryptionParam": {
            "keys": {"k": {"keyValue": "YQ==", "metadata": {"m": "n"}}},
            "param": "Yg==",
            "algorithm": "RSA",
        },
    }
    message, _ = frames.read_send(json.dumps(given), lambda: 0)
    entry = entry_of(message, producer_name="p", sequence_id=1, publish_time_ms=2, compression=1)
    head = api.CommandMessage(consumer_id=1, message_id=api.MessageIdData(ledgerId=1, entryId=2))
    (found,) = messages_of(head, entry, "t", most_bytes=100)
    told = json.loads(frames.message_text(found))
    assert told["payload"] == "aGk="
    assert told["encryptionContext"] == {
        "keys": {"k": {"keyValue": "YQ==", "metadata": {"m": "n"}}},
        "param": "Yg==",
        "algorithm": "RSA",
        "compressionType": "LZ4",
        "uncompressedMessageSize": 9,
        "batchSize": None,
    }


def test_times_are_written_as_java_does() -> None:
    assert frames.iso_time(1_700_000_000_000) == "2023-11-14T22:13:20Z"
    assert frames.iso_time(1_700_000_000_120) == "2023-11-14T22:13:20.12Z"
    assert frames.iso_time(1 << 63).startswith("9999-")
