"""Payloads: checksum, metadata, counts, broker entry metadata."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.errors import PayloadError
from magnetar_proto.frames import FrameSplitter
from magnetar_proto.payloads import (
    Chunk,
    add_broker_entry,
    check_payload,
    chunk_of,
    count_or_delay,
    encode_payload,
    message_count,
    parse_metadata,
    split_broker_entry,
)

from tests.proto.golden import MAX_FRAME_BYTES, golden_frames


def metadata_of(**fields: object) -> api.MessageMetadata:
    return api.MessageMetadata(producer_name="p", sequence_id=1, publish_time=2, **fields)


def recorded_payloads() -> Iterator[bytes]:
    for golden in golden_frames():
        ((_, _, payload),) = FrameSplitter(MAX_FRAME_BYTES).feed(golden.data)
        if payload is not None:
            yield payload


def test_recorded_payloads_are_whole_and_made_again() -> None:
    payloads = list(recorded_payloads())
    assert len(payloads) > 80
    for payload in payloads:
        assert check_payload(payload)
        metadata, body = parse_metadata(payload)
        assert metadata.producer_name
        assert encode_payload(metadata, payload[body:]) == payload
        assert message_count(payload) == metadata.num_messages_in_batch
    assert {message_count(payload) for payload in payloads} >= {1, 6, 10}


@pytest.mark.parametrize("publish_time", [1, 0xE8 | 1 << 8, 0x1E8E8])
@pytest.mark.parametrize("checksum", [True, False])
def test_chunks(publish_time: int, checksum: bool) -> None:
    """Also where other fields have the bytes that the search looks for."""
    metadata = metadata_of()
    metadata.publish_time = publish_time
    metadata.uuid = "u"
    metadata.num_chunks_from_msg = 3
    body = bytes((0xE8, 1)) * 10
    assert chunk_of(encode_payload(metadata, body, checksum=checksum)) is None
    for chunk_id in range(3):
        metadata.chunk_id = chunk_id
        chunk = chunk_of(encode_payload(metadata, body, checksum=checksum))
        assert chunk == Chunk(chunk_id, 3, "u", publish_time)
        assert chunk.is_last is (chunk_id == 2)


def test_a_chunk_in_other_bytes_of_the_same_meaning() -> None:
    metadata = metadata_of()
    data = metadata.SerializeToString() + bytes((0xE8, 0x81, 0x00, 2))  # a key longer than needed
    covered = len(data).to_bytes(4, "big") + data
    chunk = chunk_of(b"\x0e\x01" + bytes(4) + covered)
    assert chunk is not None
    assert chunk.chunk_id == 2


@pytest.mark.parametrize("payload", [b"", b"\x0e\x01", b"\x0e\x01" + bytes(8) + b"\xff", b"\0"])
def test_what_cannot_be_read_is_no_chunk(payload: bytes) -> None:
    assert chunk_of(payload) is None


def test_every_changed_byte_behind_the_checksum_is_found() -> None:
    payload = encode_payload(metadata_of(), b"body")
    for place in range(2, len(payload)):
        changed = bytearray(payload)
        changed[place] ^= 1
        assert not check_payload(bytes(changed))


def test_a_payload_without_checksum_is_accepted() -> None:
    payload = encode_payload(metadata_of(), b"body", checksum=False)
    assert check_payload(payload)
    metadata, body = parse_metadata(payload)
    assert (metadata.sequence_id, payload[body:]) == (1, b"body")


@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_checksum_that_is_cut_off_is_wrong(size: int) -> None:
    assert not check_payload(encode_payload(metadata_of(), b"body")[:size])


@settings(deadline=None)
@given(st.integers(0, 1 << 60), st.integers(0, 1 << 60), st.none() | st.integers(1, 5000))
def test_count_is_the_batchs_or_one(sequence_id: int, time_ms: int, count: int | None) -> None:
    metadata = api.MessageMetadata(
        producer_name="X", sequence_id=sequence_id, publish_time=time_ms, partition_key="XX"
    )
    if count is not None:
        metadata.num_messages_in_batch = count
    assert message_count(encode_payload(metadata, b"body")) == (count or 1)


def test_count_is_found_behind_a_key_that_is_longer_than_need_be() -> None:
    data = metadata_of().SerializeToString() + b"\xd8\x00\x07"
    payload = len(data).to_bytes(4, "big") + data
    assert api.MessageMetadata.FromString(data).num_messages_in_batch == 7
    assert message_count(payload) == 7


@settings(deadline=None)
@given(st.integers(0, 1 << 60), st.integers(0, 1 << 60), st.none() | st.integers(0, 1 << 30))
def test_a_marker_holds_no_message(sequence_id: int, time_ms: int, marker: int | None) -> None:
    metadata = api.MessageMetadata(
        producer_name="\xa0\x01", sequence_id=sequence_id, publish_time=time_ms
    )
    if marker is not None:
        metadata.marker_type = marker
    payload = encode_payload(metadata, b"body")
    assert message_count(payload) == (1 if marker is None else 0)
    assert count_or_delay(payload) == (1 if marker is None else -1)


def test_broker_entry_metadata_goes_on_and_off() -> None:
    payload = encode_payload(metadata_of(num_messages_in_batch=9), b"body")
    entry = add_broker_entry(api.BrokerEntryMetadata(broker_timestamp=5, index=77)) + payload
    found, start = split_broker_entry(entry)
    assert found is not None
    assert (found.broker_timestamp, found.index) == (5, 77)
    assert entry[start:] == payload
    metadata, body = parse_metadata(entry)
    assert (metadata.num_messages_in_batch, entry[body:]) == (9, b"body")
    assert message_count(entry) == 9
    assert split_broker_entry(payload) == (None, 0)


@pytest.mark.parametrize(
    "entry", [b"\x0e\x02", b"\x0e\x02\x00\x00\x00\x09\x00", b"\x0e\x02\x00\x00\x00\x01\xff"]
)
def test_broken_broker_entry_metadata_is_an_error(entry: bytes) -> None:
    with pytest.raises(PayloadError):
        split_broker_entry(entry)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x0e\x01",
        b"\x0e\x01\x00\x00\x00\x00\x00\x00",
        b"\x00\x00\x00\x05abcd",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x02\x58\xff",
    ],
)
def test_broken_metadata_is_an_error(payload: bytes) -> None:
    with pytest.raises(PayloadError):
        parse_metadata(payload)
    with pytest.raises(PayloadError):
        message_count(payload)


def test_metadata_needs_its_required_fields() -> None:
    with pytest.raises(PayloadError, match="required"):
        parse_metadata(b"\x00\x00\x00\x00")


def test_strings_of_messages_may_be_any_bytes() -> None:
    data = metadata_of(partition_key="abcd").SerializeToString().replace(b"abcd", b"\xff\xfe\x00a")
    metadata, _ = parse_metadata(len(data).to_bytes(4, "big") + data)
    assert metadata.SerializeToString() == data


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_rubbish_gives_a_payload_error_or_a_result(payload: bytes) -> None:
    for read in (parse_metadata, message_count, split_broker_entry):
        try:
            read(payload)
        except PayloadError:
            continue


@given(st.integers(0, 2**62), st.integers(1, 5_000), st.one_of(st.none(), st.integers(-9, 2**45)))
def test_a_delay_is_found_beside_the_count(
    publish_time: int, batch: int, deliver_at_ms: int | None
) -> None:
    metadata = metadata_of(num_messages_in_batch=batch)
    metadata.publish_time = publish_time
    if deliver_at_ms is not None:
        metadata.deliver_at_time = deliver_at_ms
    delayed = deliver_at_ms is not None and deliver_at_ms > 0
    for checksum in (True, False):
        payload = encode_payload(metadata, b"body", checksum=checksum)
        assert count_or_delay(payload) == (-(deliver_at_ms or 0) if delayed else batch)


def test_a_delay_is_found_also_where_its_key_is_longer_than_it_need_be() -> None:
    data = metadata_of().SerializeToString() + b"\x98\x81\x00\x07"
    assert count_or_delay(len(data).to_bytes(4) + data) == -7
