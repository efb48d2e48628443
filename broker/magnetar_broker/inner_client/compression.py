"""Bodies of messages compressed as producers do it; what needs a library says so if it is missing.

ZLIB comes with Python. LZ4 blocks, ZSTD and raw SNAPPY come with cramjam (extra `server`).
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from types import ModuleType
from typing import Final

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.errors import PayloadError


def _cramjam(name: str) -> ModuleType:
    try:
        return importlib.import_module("cramjam")
    except ImportError as error:
        raise PayloadError(f"{name} needs the package cramjam, which is not installed") from error


def _decompress_zlib(body: bytes, size_bytes: int) -> bytes:
    # One byte more than there should be is enough to see that it is not what was said.
    stream = zlib.decompressobj()
    clear = stream.decompress(body, size_bytes + 1)
    if not stream.eof:
        raise PayloadError("a body (ZLIB) that is cut, or longer than said")
    return clear


def _decompress_lz4(body: bytes, size_bytes: int) -> bytes:
    block = _cramjam("LZ4").lz4
    return bytes(block.decompress_block(body, output_len=size_bytes))


def _decompress_zstd(body: bytes, size_bytes: int) -> bytes:
    target = bytearray(size_bytes)
    written = _cramjam("ZSTD").zstd.decompress_into(body, target)
    return bytes(target[:written])


def _decompress_snappy(body: bytes, size_bytes: int) -> bytes:
    target = bytearray(size_bytes)
    written = _cramjam("SNAPPY").snappy.decompress_raw_into(body, target)
    return bytes(target[:written])


_DECOMPRESS: Final[dict[int, Callable[[bytes, int], bytes]]] = {
    api.CompressionType.ZLIB: _decompress_zlib,
    api.CompressionType.LZ4: _decompress_lz4,
    api.CompressionType.ZSTD: _decompress_zstd,
    api.CompressionType.SNAPPY: _decompress_snappy,
}

_COMPRESS: Final[dict[int, Callable[[bytes], bytes]]] = {
    api.CompressionType.ZLIB: zlib.compress,
    api.CompressionType.LZ4: lambda body: bytes(
        _cramjam("LZ4").lz4.compress_block(body, store_size=False)
    ),
    api.CompressionType.ZSTD: lambda body: bytes(_cramjam("ZSTD").zstd.compress(body)),
    api.CompressionType.SNAPPY: lambda body: bytes(_cramjam("SNAPPY").snappy.compress_raw(body)),
}


def decompress(kind: int, body: bytes, size_bytes: int, *, most_bytes: int) -> bytes:
    """The body in the clear.

    Args:
        size_bytes: how long it is said to be.
        most_bytes: refuse to make more than this.

    Raises:
        PayloadError: it is damaged, longer than said or allowed, or its library is missing.
    """
    if kind == api.CompressionType.NONE:
        return body
    if size_bytes > most_bytes:
        raise PayloadError(f"a body of {size_bytes} bytes, more than {most_bytes}")
    work = _DECOMPRESS.get(kind)
    if work is None:
        raise PayloadError(f"a body of the unknown compression {kind}")
    try:
        clear = work(body, size_bytes)
    except PayloadError:
        raise
    except Exception as error:
        # Each library has errors of its own; what they say is the same.
        name = api.CompressionType.Name(api.CompressionType.ValueType(kind))
        raise PayloadError(f"a damaged body ({name}): {error}") from error
    if len(clear) != size_bytes:
        raise PayloadError(f"a body of {len(clear)} bytes that should be {size_bytes}")
    return clear


def compress(kind: int, body: bytes) -> bytes:
    """The body as it travels. Raises PayloadError if its library is missing."""
    return body if kind == api.CompressionType.NONE else _COMPRESS[kind](body)
