"""Varints agree with protobuf's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_metadata.varint import read_varint, write_varint
from magnetar_proto.bookkeeper_metadata_pb2 import LedgerMetadataFormat


@given(st.integers(0, 2**63 - 1), st.binary(max_size=3))
def test_round_trip(number: int, rest: bytes) -> None:
    data = write_varint(number)
    record = LedgerMetadataFormat(cToken=number).SerializePartialToString()
    assert data == record[1:]  # behind the field's tag
    assert read_varint(b"x" + data + rest, 1) == (number, 1 + len(data))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 10, b"\xff" * 20])
def test_a_varint_that_does_not_end(data: bytes) -> None:
    with pytest.raises(ValueError, match="does not end"):
        read_varint(data, 0)
