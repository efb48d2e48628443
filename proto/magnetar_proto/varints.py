"""Varints of the protobuf wire, written fast."""

from typing import Final

LOW_BITS: Final = 14
"""Bits of the first two bytes of a varint, which are looked up at once."""
_SPAN: Final = 1 << LOW_BITS
LOW_MASK: Final = _SPAN - 1
_MORE: Final = 0x80
_WRAP: Final = 1 << 64

_LAST: Final = [
    bytes((value,)) if value < _MORE else bytes((value & 0x7F | _MORE, value >> 7))
    for value in range(_SPAN)
]
"""Varints of one and two bytes."""

_FIRST: Final = [bytes((value & 0x7F | _MORE, value >> 7 | _MORE)) for value in range(_SPAN)]
"""The two bytes for the lowest 14 bits where more bytes follow."""

NONE: Final = _WRAP - 1
"""What an unsigned 64-bit field carries for "none"; the same as -1 in a signed one."""
_NONE_BYTES: Final = b"\xff" * 9 + b"\x01"


def varint(value: int) -> bytes:
    """The varint of an integer of 64 bits; a negative one as its two's complement."""
    if 0 <= value < _SPAN:
        return _LAST[value]
    if 0 <= value < 1 << 28:
        return _FIRST[value & LOW_MASK] + _LAST[value >> LOW_BITS]
    if value in (NONE, -1):
        return _NONE_BYTES
    return _long_varint(value)


def split_varint(high: int) -> tuple[list[bytes], bytes]:
    """How varints look of numbers that have `high` above their low bits.

    Returns:
        The first bytes by the low bits, and the bytes that follow, the same for all of them.
    """
    return (_FIRST, varint(high)) if high else (_LAST, b"")


def _long_varint(value: int) -> bytes:
    if value < 0:
        value += _WRAP
    out = b""
    while value >= _SPAN:
        out += _FIRST[value & LOW_MASK]
        value >>= LOW_BITS
    return out + _LAST[value]
