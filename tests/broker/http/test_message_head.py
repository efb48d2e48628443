"""What headers say of an entry."""

import zlib

from magnetar_broker.http.message_head import entry_answer
from magnetar_ledger.position import Position
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.payloads import encode_payload
from magnetar_proto.sends import with_checksum

PLACE = Position(3, 4)


def _metadata(**fields: object) -> api.MessageMetadata:
    required = {"producer_name": "p", "sequence_id": 7, "publish_time": 1_795_731_121_880}
    return api.MessageMetadata(**{**required, **fields})  # type: ignore[arg-type]


def test_times_end_as_in_java() -> None:
    metadata = _metadata(event_time=1_700_000_000_000, deliver_at_time=1_700_000_000_999)
    headers = entry_answer(PLACE, encode_payload(metadata, b"x")).headers
    assert headers["X-Pulsar-publish-time"] == "2026-11-26T22:12:01.88Z"
    assert headers["X-Pulsar-event-time"] == "2023-11-14T22:13:20Z"
    assert headers["X-Pulsar-deliver-at-time"] == "2023-11-14T22:13:20.999Z"


def test_times_that_no_calendar_has() -> None:
    metadata = _metadata(publish_time=2**63)
    headers = entry_answer(PLACE, encode_payload(metadata, b"x")).headers
    assert headers["X-Pulsar-publish-time"] == str(2**63)


def test_what_is_compressed_comes_in_the_clear() -> None:
    metadata = _metadata(
        compression=api.CompressionType.ZLIB, uncompressed_size=100, num_messages_in_batch=2
    )
    answer = entry_answer(PLACE, encode_payload(metadata, zlib.compress(b"a" * 100)))
    assert answer.body == b"a" * 100
    assert answer.headers["X-Pulsar-compression"] == "ZLIB"
    assert answer.headers["X-Pulsar-uncompressed-size"] == "100"
    assert answer.headers["X-Pulsar-num-batch-message"] == "2"


def test_what_does_not_decompress_is_given_as_it_is() -> None:
    metadata = _metadata(compression=api.CompressionType.ZLIB, uncompressed_size=100)
    answer = entry_answer(PLACE, encode_payload(metadata, b"rubbish"))
    assert (answer.body, answer.headers["X-Pulsar-Body"]) == (b"rubbish", "compressed")


def test_rubbish_is_given_as_it_is() -> None:
    answer = entry_answer(PLACE, b"\xff")
    assert answer.body == b"\xff"
    assert answer.headers["X-Pulsar-Message-ID"] == "3:4"


def test_nobody_writes_headers_of_his_own() -> None:
    metadata = _metadata(partition_key="a\r\nSet-Cookie: x")
    metadata.properties.add(key="k", value="\n")
    headers = entry_answer(PLACE, encode_payload(metadata, b"x")).headers
    assert headers["X-Pulsar-partition-key"] == "a??Set-Cookie: x"
    assert "\n" not in headers["X-Pulsar-PROPERTY"]


def test_texts_that_are_no_utf8_are_told_all_the_same() -> None:
    stored = _metadata().SerializeToString() + b"\x32\x02k\xff" + b"\x22\x06\x0a\x01n\x12\x01\xff"
    headers = entry_answer(PLACE, with_checksum(stored, b"x")).headers
    assert headers["X-Pulsar-partition-key"] == "k\ufffd"
    assert headers["X-Pulsar-PROPERTY"] == '{"n":"\\ufffd"}'
