from magnetar.message import Message
from magnetar.message_id import MessageId
from magnetar.outgoing import MessageOptions, PayloadEncoder, set_options
from magnetar_proto import pulsar_api_pb2 as api

from tests.client.test_consumer_core import Source


def test_the_parts_of_a_message() -> None:
    metadata = PayloadEncoder("who", 0, bytes, b"\0v").metadata(7, 1234, 3)
    options = MessageOptions(
        properties={"a": "b"}, partition_key="k", ordering_key=b"o", event_timestamp=99
    )
    set_options(metadata, options)
    message = Message(Source(), 1, 2, -1, 0, b"abc", metadata, None, 4)  # type: ignore[arg-type]
    assert message.data() == b"abc"
    assert message.value() == "abc"
    assert message.properties() == {"a": "b"}
    assert (message.partition_key(), message.ordering_key()) == ("k", "o")
    assert (message.publish_timestamp(), message.event_timestamp()) == (1234, 99)
    assert message.message_id() == MessageId(-1, 1, 2)
    assert message.message_id().topic_name() == message.topic_name() == "t"
    assert (message.redelivery_count(), message.sequence_id()) == (4, 7)
    assert (message.schema_version(), message.producer_name()) == (b"\0v", "who")
    assert message.encryption_context() is None
    assert not message.has_null_value()
    assert repr(message) == "<Message 1:2:-1 of t, 3 bytes>"


def test_without_a_key() -> None:
    metadata = PayloadEncoder("who", 0, bytes, b"").metadata(7, 1234, 3)
    message = Message(Source(), 1, 2, 0, 1, b"", metadata, b"\x18\x00", 0)  # type: ignore[arg-type]
    assert message.partition_key() == ""
    assert not message.has_partition_key()
    assert message.sequence_id() == 7


def test_texts_that_are_no_utf_8() -> None:
    single = b"\x0a\x08\x0a\x02k\xff\x12\x02v\xff" + b"\x12\x02\xff\xfe" + b"\x18\x00"
    metadata = api.MessageMetadata.FromString(b"\x0a\x02n\xff\x10\x07\x18\x01")
    message = Message(Source(), 1, 2, 0, 1, b"", metadata, single, 0)  # type: ignore[arg-type]
    assert message.partition_key() == "\ufffd\ufffd"
    assert message.properties() == {"k\ufffd": "v\ufffd"}
    assert message.producer_name() == "n\ufffd"
