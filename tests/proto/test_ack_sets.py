"""Ack sets: words of a Java bit set to an int and back."""

from hypothesis import given
from hypothesis import strategies as st
from magnetar_proto.ack_sets import (
    bits_of_words,
    bytes_of_words,
    words_of_bits,
    words_of_bytes,
)


def test_signed_words_are_taken_as_bits() -> None:
    assert bits_of_words([-1]) == 2**64 - 1
    assert bits_of_words([0, -(2**63)]) == 1 << 127
    assert words_of_bits(1 << 127) == (0, -(2**63))


def test_no_bits_are_no_words() -> None:
    assert words_of_bits(0) == ()
    assert bits_of_words([]) == 0


def test_many_bits_cost_no_more_than_their_number() -> None:
    words = words_of_bits((1 << (1 << 20)) - 2)
    assert (len(words), words[0], words[1]) == (1 << 14, -2, -1)
    assert bits_of_words(words) == (1 << (1 << 20)) - 2


@given(st.integers(0, 2**200))
def test_words_bring_bits_back(bits: int) -> None:
    words = words_of_bits(bits)
    assert bits_of_words(words) == bits
    assert not words or words[-1] != 0


@given(st.binary(max_size=40))
def test_bytes_are_words_with_zeros_behind(data: bytes) -> None:
    words = words_of_bytes(data)
    assert len(words) == (len(data) + 7) // 8
    assert bits_of_words(words) == int.from_bytes(data, "little")


def test_words_and_bytes_are_the_same() -> None:
    assert words_of_bytes(bytes_of_words((1, -1, 0, -(2**63)))) == (1, -1, 0, -(2**63))
