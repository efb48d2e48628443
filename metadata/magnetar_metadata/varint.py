"""Protobuf's varint, for the lengths that stand before a message."""


def write_varint(number: int) -> bytes:
    """Encode a number >= 0."""
    assert number >= 0
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data: bytes, offset: int) -> tuple[int, int]:
    """The number at `offset`, and the offset behind it.

    Raises:
        ValueError: it does not end within ten bytes or within the data.
    """
    number = 0
    for shift in range(0, 70, 7):
        if offset >= len(data):
            break
        byte = data[offset]
        offset += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, offset
    raise ValueError("a varint does not end")
