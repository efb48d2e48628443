"""Compression of payloads, in the formats that Pulsar's other clients write.

LZ4 and snappy blocks stand without a frame and without their size, zlib has its header, zstd is
one frame. How much comes out stands in the metadata of the message, so nothing may grow beyond it.
"""

import zlib
from collections.abc import Callable
from typing import Final, Protocol

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.errors import PayloadError

from magnetar.extras import load


class Codec(Protocol):
    """One way to compress. It may keep state between calls: each thread needs its own."""

    def compress(self, data: bytes) -> bytes:
        """The data in a smaller form."""

    def decompress(self, data: bytes, size_bytes: int) -> bytes:
        """What was compressed.

        Args:
            data: what `compress` of any client gave.
            size_bytes: the size of the result, which the metadata of the message tells.

        Raises:
            PayloadError: the data cannot be read, or gives another size.
        """


class _None:
    def compress(self, data: bytes) -> bytes:
        return data

    def decompress(self, data: bytes, size_bytes: int) -> bytes:
        return _sized("uncompressed", data, size_bytes)


class _Lz4:
    def __init__(self) -> None:
        self._block = load("lz4.block", "lz4")

    def compress(self, data: bytes) -> bytes:
        compressed: bytes = self._block.compress(data, store_size=False)
        return compressed

    def decompress(self, data: bytes, size_bytes: int) -> bytes:
        try:
            result = self._block.decompress(data, uncompressed_size=size_bytes)
        except self._block.LZ4BlockError as error:
            raise _unreadable("lz4", data, size_bytes) from error
        return _sized("lz4", result, size_bytes)


class _Zlib:
    def compress(self, data: bytes) -> bytes:
        return zlib.compress(data)

    def decompress(self, data: bytes, size_bytes: int) -> bytes:
        stream = zlib.decompressobj()
        try:
            # One more than it may be, so that what is longer shows; 0 would mean no bound.
            result = stream.decompress(data, size_bytes + 1)
        except zlib.error as error:
            raise _unreadable("zlib", data, size_bytes) from error
        if not stream.eof:
            raise _unreadable("zlib", data, size_bytes)
        return _sized("zlib", result, size_bytes)


class _Zstd:
    def __init__(self) -> None:
        self._zstandard = load("zstandard", "zstd")
        self._compressor = self._zstandard.ZstdCompressor()
        self._decompressor = self._zstandard.ZstdDecompressor()

    def compress(self, data: bytes) -> bytes:
        compressed: bytes = self._compressor.compress(data)
        return compressed

    def decompress(self, data: bytes, size_bytes: int) -> bytes:
        try:
            # The library obeys the size in the frame rather than the one it is given.
            stated = self._zstandard.frame_content_size(data)
            if stated > size_bytes:
                raise _unreadable("zstd", data, size_bytes)
            result = self._decompressor.decompress(data, max_output_size=size_bytes)
        except self._zstandard.ZstdError as error:
            raise _unreadable("zstd", data, size_bytes) from error
        return _sized("zstd", result, size_bytes)


class _Snappy:
    def __init__(self) -> None:
        cramjam = load("cramjam", "snappy")
        self._snappy = cramjam.snappy
        self._error = cramjam.DecompressionError

    def compress(self, data: bytes) -> bytes:
        return bytes(self._snappy.compress_raw(data))

    def decompress(self, data: bytes, size_bytes: int) -> bytes:
        try:
            # The size in the block is looked at before so much memory is taken.
            if self._snappy.decompress_raw_len(data) != size_bytes:
                raise _unreadable("snappy", data, size_bytes)
            result = bytes(self._snappy.decompress_raw(data)) if size_bytes else b""
        except self._error as error:
            raise _unreadable("snappy", data, size_bytes) from error
        return _sized("snappy", result, size_bytes)


_CODECS: Final[dict[int, Callable[[], Codec]]] = {
    api.NONE: _None,
    api.LZ4: _Lz4,
    api.ZLIB: _Zlib,
    api.ZSTD: _Zstd,
    api.SNAPPY: _Snappy,
}


def make_codec(kind: int) -> Codec:
    """A codec for a `CompressionType` or its number on the wire.

    Raises:
        MissingExtraError: its library is not installed.
        PayloadError: there is no such type.
    """
    make = _CODECS.get(kind)
    if make is None:
        raise PayloadError(f"compression type {kind} is not known")
    return make()


def _sized(name: str, result: bytes, size_bytes: int) -> bytes:
    if len(result) != size_bytes:
        raise _unreadable(name, result, size_bytes)
    return result


def _unreadable(name: str, data: bytes, size_bytes: int) -> PayloadError:
    return PayloadError(f"{name}: {len(data)} bytes do not give the {size_bytes} that were said")
