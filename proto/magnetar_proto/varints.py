"""Varints of the protobuf wire, written fast."""

from typing import Final

_BITS: Final = 14
_SPAN: Final = 1 << _BITS
_LOW: Final = _SPAN - 1
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
        return _FIRST[value & _LOW] + _LAST[value >> _BITS]
    if value in (NONE, -1):
        return _NONE_BYTES
    return _long_varint(value)


def _long_varint(value: int) -> bytes:
    if value < 0:
        value += _WRAP
    out = b""
    while value >= _SPAN:
        out += _FIRST[value & _LOW]
        value >>= _BITS
    return out + _LAST[value]
