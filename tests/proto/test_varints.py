"""Varints against protobuf's own."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.varints import LOW_BITS, LOW_MASK, NONE, signed, split_varint, varint

STEPS = [step + more for bits in range(0, 64, 7) for step in (1 << bits,) for more in (-1, 0, 1)]


def by_protobuf(value: int) -> bytes:
    return api.BrokerEntryMetadata(index=value).SerializeToString()[1:]


@pytest.mark.parametrize("value", [*STEPS, 16383, 16384, (1 << 28) - 1, 1 << 28, 1 << 63, NONE])
def test_each_length(value: int) -> None:
    assert varint(value) == by_protobuf(value)


@settings(deadline=None)
@given(st.integers(0, NONE))
def test_any_unsigned(value: int) -> None:
    assert varint(value) == by_protobuf(value)


@settings(deadline=None)
@given(st.integers(-(1 << 63), -1))
def test_any_negative(value: int) -> None:
    assert varint(value) == by_protobuf(value + (1 << 64))


@given(st.integers(0, NONE))
def test_a_split_varint_joins_to_the_varint(value: int) -> None:
    lows, rest = split_varint(value >> LOW_BITS)
    assert lows[value & LOW_MASK] + rest == varint(value)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_a_negative_number_comes_back_from_a_field_without_a_sign(number: int) -> None:
    assert signed(number % (1 << 64)) == number
