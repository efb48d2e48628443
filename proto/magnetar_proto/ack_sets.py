"""Batch-index ack sets: words of a bit set as they travel, one int as they are kept.

A set bit is a batch index that is not yet acknowledged. Words are signed 64-bit, lowest first,
without zero words at the end.
"""

import struct
from collections.abc import Sequence
from typing import Final

MOST_WORDS: Final = 16_384
"""No batch has a larger set: its million messages of six bytes at least would take more than the
5 MiB that a frame may have."""

_WORD_MASK = 2**64 - 1


def bits_of_words(words: Sequence[int]) -> int:
    """One int from words, signed or not."""
    if len(words) == 1:
        return words[0] & _WORD_MASK
    unsigned = [word & _WORD_MASK for word in words]
    return int.from_bytes(struct.pack(f"<{len(unsigned)}Q", *unsigned), "little")


def words_of_bits(bits: int) -> tuple[int, ...]:
    """Signed words from one int."""
    return words_of_bytes(bits.to_bytes((bits.bit_length() + 7) // 8, "little"))


def words_of_bytes(data: bytes) -> tuple[int, ...]:
    """Signed words from little-endian bytes of any length."""
    padded = data + bytes(-len(data) % 8)
    return struct.unpack(f"<{len(padded) // 8}q", padded)


def bytes_of_words(words: Sequence[int]) -> bytes:
    """Little-endian bytes from signed words."""
    return struct.pack(f"<{len(words)}q", *words)
