import pytest
from magnetar.outgoing import (
    MessageOptions,
    PayloadEncoder,
    batched,
    set_options,
)
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.batches import split_batch
from magnetar_proto.payloads import check_payload, parse_metadata


@pytest.mark.parametrize("version", [b"", b"\0" * 8])
def test_a_plain_message_is_what_protobuf_makes_of_its_metadata(version: bytes) -> None:
    encoder = PayloadEncoder("name", api.ZLIB, lambda data: data[:1], version)
    payload = encoder.plain(9, 1_700_000_000_000, b"content")
    assert check_payload(payload)
    metadata, start = parse_metadata(payload)
    assert payload[start:] == b"c"
    assert metadata == encoder.metadata(9, 1_700_000_000_000, 7)
    assert metadata.compression == api.ZLIB
    assert metadata.uncompressed_size == 7


def test_options_stand_in_the_metadata() -> None:
    options = MessageOptions(
        properties={"a": "b"},
        partition_key="",
        ordering_key=b"o",
        replicate_to=["c"],
        event_timestamp=5,
        deliver_at_ms=6,
    )
    assert options.alone
    assert options.batch_key == b"o"
    metadata = PayloadEncoder("n", 0, bytes, b"").metadata(1, 2, 3)
    set_options(metadata, options)
    assert metadata.HasField("partition_key")
    assert (metadata.event_time, metadata.deliver_at_time) == (5, 6)
    assert metadata.properties[0].value == "b"
    assert list(metadata.replicate_to) == ["c"]


def test_a_batch_reads_as_other_clients_read_it() -> None:
    key = MessageOptions(partition_key="k", properties={"p": "q"})
    rows: list[tuple[bytes, MessageOptions | None]] = [(b"x", None), (b"", key), (b"y" * 300, None)]
    body = b"".join(batched(each, 10 + i, key) + each for i, (each, key) in enumerate(rows))
    payload = PayloadEncoder("n", 0, bytes, b"").batch(10, 12, 1, 3, body, key)
    metadata, start = parse_metadata(payload)
    assert (metadata.num_messages_in_batch, metadata.highest_sequence_id) == (3, 12)
    assert metadata.partition_key == "k"
    singles = split_batch(payload[start:], 3)
    assert [content for _, content in singles] == [b"x", b"", b"y" * 300]
    assert [single.sequence_id for single, _ in singles] == [10, 11, 12]
    assert singles[1][0].partition_key == "k"
