"""Texts that are none."""

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.texts import clean_text

_KEY_THAT_IS_NO_TEXT = b"\x32\x03a\xff\xfe"


def test_a_field_that_is_no_utf8_becomes_text() -> None:
    metadata = api.MessageMetadata(producer_name="p", sequence_id=1, publish_time=1)
    stored = metadata.SerializeToString() + _KEY_THAT_IS_NO_TEXT
    found = api.MessageMetadata.FromString(stored)
    assert clean_text(found.partition_key) == "a\ufffd\ufffd"


def test_texts_stay_as_they_are() -> None:
    assert clean_text("ä\ufffd") == "ä\ufffd"
    assert clean_text(b"") == ""
