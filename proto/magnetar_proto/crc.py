"""CRC32C (Castagnoli), the checksum of Pulsar's payloads and BookKeeper's entries."""

from collections.abc import Callable
from typing import Final

from fastcrc.crc32 import iscsi as _crc32c

crc32c: Final[Callable[[bytes | bytearray | memoryview], int]] = _crc32c
"""The checksum of some bytes, unsigned. The library's own function: this is called per message."""


def crc32c_more(checksum: int, data: bytes | bytearray | memoryview) -> int:
    """The checksum of what `checksum` covers followed by `data`, so that parts need no joining."""
    return _crc32c(data, checksum)
