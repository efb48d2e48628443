from magnetar_broker.dispatch.sticky_keys import count_delay_and_key, key_hash, sticky_key
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.murmur import murmur3_32
from magnetar_proto.payloads import encode_payload
from magnetar_proto.sends import with_checksum

from tests.broker.consuming import payload


def keyed(**fields: object) -> bytes:
    metadata = api.MessageMetadata(producer_name="p", sequence_id=9, publish_time=0)
    for name, value in fields.items():
        setattr(metadata, name, value)
    return encode_payload(metadata, b"body")


def test_an_ordering_key_goes_before_the_partition_key() -> None:
    assert sticky_key(keyed(partition_key="a")) == b"a"
    assert sticky_key(keyed(partition_key="a", ordering_key=b"b")) == b"b"
    assert sticky_key(keyed(partition_key="a", ordering_key=b"")) == b""


def test_the_key_of_a_batch_is_that_of_its_metadata() -> None:
    assert sticky_key(keyed(partition_key="a", num_messages_in_batch=3)) == b"a"


def test_messages_without_a_key_are_spread_by_producer_and_number() -> None:
    assert sticky_key(keyed()) == b"p-9"
    assert sticky_key(payload(7)) == b"p-7"


def test_bytes_as_keys_are_taken_as_they_were() -> None:
    assert sticky_key(keyed(partition_key="AP8=", partition_key_b64_encoded=True)) == b"\x00\xff"
    broken = keyed(partition_key="no base64", partition_key_b64_encoded=True)
    assert sticky_key(broken) == b"no base64"


def test_a_key_that_is_no_text_is_taken_as_it_is() -> None:
    """Scenario: one such message stopped a Key_Shared subscription for ever."""
    metadata = api.MessageMetadata(producer_name="p", sequence_id=9, publish_time=0)
    stored = metadata.SerializeToString()
    keyed_by = with_checksum(stored + b"\x32\x02k\xff", b"body")
    assert sticky_key(keyed_by) == "k\ufffd".encode()
    assert count_delay_and_key(keyed_by) == (1, 0, "k\ufffd".encode())


def test_a_payload_that_cannot_be_read_has_a_key_too() -> None:
    assert sticky_key(b"") == sticky_key(b"\x0e\x01rubbish") == b"NONE_KEY"


def test_hashes_have_no_sign_and_long_keys_are_not_kept() -> None:
    for key in (b"", b"k0", b"x" * 64, b"y" * 65, b"z" * 10_000):
        assert key_hash(key) == murmur3_32(key) & 0x7FFFFFFF


def test_one_parse_gives_all_that_is_asked_of_a_new_entry() -> None:
    assert count_delay_and_key(keyed(partition_key="a")) == (1, 0, b"a")
    batch = keyed(partition_key="a", num_messages_in_batch=3, deliver_at_time=77)
    assert count_delay_and_key(batch) == (3, 77, b"a")
    assert count_delay_and_key(keyed(num_messages_in_batch=-3)) == (1, 0, b"p-9")
    assert count_delay_and_key(keyed(marker_type=21)) == (0, 0, b"p-9")
    assert count_delay_and_key(b"\x0e\x01rubbish") == (1, 0, b"NONE_KEY")
