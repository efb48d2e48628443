"""Batch-index ack sets: words of a bit set as they travel, one int as they are kept.

A set bit is a batch index that is not yet acknowledged. Words are signed 64-bit, lowest first,
without zero words at the end.
"""

from collections.abc import Sequence

_WORD_MASK = 2**64 - 1


def bits_of_words(words: Sequence[int]) -> int:
    """One int from words, signed or not."""
    if len(words) == 1:
        return words[0] & _WORD_MASK
    data = b"".join((word & _WORD_MASK).to_bytes(8, "little") for word in words)
    return int.from_bytes(data, "little")


def words_of_bits(bits: int) -> tuple[int, ...]:
    """Signed words from one int."""
    count = (bits.bit_length() + 63) // 64
    data = memoryview(bits.to_bytes(count * 8, "little"))
    return tuple(
        int.from_bytes(data[at : at + 8], "little", signed=True) for at in range(0, count * 8, 8)
    )


def words_of_bytes(data: bytes) -> list[int]:
    """Signed words from little-endian bytes of any length."""
    padded = data + bytes(-len(data) % 8)
    return [
        int.from_bytes(padded[at : at + 8], "little", signed=True)
        for at in range(0, len(padded), 8)
    ]
