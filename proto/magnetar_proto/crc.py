"""CRC32C (Castagnoli), the checksum of Pulsar's payloads and BookKeeper's entries."""

from fastcrc.crc32 import iscsi as _crc32c


def crc32c(data: bytes | bytearray | memoryview) -> int:
    """The checksum of `data`, unsigned."""
    return _crc32c(data)


def crc32c_more(checksum: int, data: bytes | bytearray | memoryview) -> int:
    """The checksum of what `checksum` covers followed by `data`, so that parts need no joining."""
    return _crc32c(data, checksum)
