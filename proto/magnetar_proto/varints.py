"""Varints of the protobuf wire, written fast."""

from typing import Final

LOW_BITS: Final = 14
"""Bits of the first two bytes of a varint, which are looked up at once."""
_SPAN: Final = 1 << LOW_BITS
LOW_MASK: Final = _SPAN - 1
_MORE: Final = 0x80
_WRAP: Final = 1 << 64

# Two bytes are put together from one and one: making each from its number takes six times as long,
# at every import. Tuples, for a list of bytes is walked by every collection of garbage.
_ENDS: Final = [bytes((value,)) for value in range(_MORE)]
_STARTS: Final = [bytes((value | _MORE,)) for value in range(_MORE)]

_LAST: Final = tuple(_ENDS + [start + end for end in _ENDS[1:] for start in _STARTS])
"""Varints of one and two bytes."""

_FIRST: Final = tuple([start + more for more in _STARTS for start in _STARTS])
"""The two bytes for the lowest 14 bits where more bytes follow."""

NONE: Final = _WRAP - 1
"""What an unsigned 64-bit field carries for "none"; the same as -1 in a signed one."""
_NONE_BYTES: Final = b"\xff" * 9 + b"\x01"


def signed(number: int) -> int:
    """What a 64-bit field without a sign stands for: -1 travels in it as the largest of all."""
    return number - _WRAP if number >> 63 else number


def varint(value: int) -> bytes:
    """The varint of an integer of 64 bits; a negative one as its two's complement."""
    if 0 <= value < _SPAN:
        return _LAST[value]
    if 0 <= value < 1 << 28:
        return _FIRST[value & LOW_MASK] + _LAST[value >> LOW_BITS]
    if value in (NONE, -1):
        return _NONE_BYTES
    return _long_varint(value)


def split_varint(high: int) -> tuple[tuple[bytes, ...], bytes]:
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
