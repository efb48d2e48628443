"""Bodies compressed and opened again; what is damaged or too large is refused."""

import importlib.util

import pytest
from magnetar_broker.inner_client.compression import compress, decompress
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.errors import PayloadError

NEEDS_CRAMJAM = pytest.mark.skipif(
    importlib.util.find_spec("cramjam") is None, reason="cramjam is not installed"
)
KINDS = [
    api.CompressionType.NONE,
    api.CompressionType.ZLIB,
    pytest.param(api.CompressionType.LZ4, marks=NEEDS_CRAMJAM),
    pytest.param(api.CompressionType.ZSTD, marks=NEEDS_CRAMJAM),
    pytest.param(api.CompressionType.SNAPPY, marks=NEEDS_CRAMJAM),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [b"", b"x", b"abc" * 1000])
def test_there_and_back(kind: int, body: bytes) -> None:
    assert decompress(kind, compress(kind, body), len(body), most_bytes=5000) == body


@pytest.mark.parametrize("kind", KINDS[1:])
def test_what_is_damaged_or_not_as_long_as_said_is_refused(kind: int) -> None:
    data = compress(kind, b"abc" * 1000)
    for damaged, size in ((data[:-3], 3000), (b"\xff" * 40, 3000), (data, 2999)):
        with pytest.raises(PayloadError):
            decompress(kind, damaged, size, most_bytes=5000)


def test_nothing_larger_than_allowed_is_made() -> None:
    data = compress(api.CompressionType.ZLIB, bytes(6000))
    with pytest.raises(PayloadError, match="6000 bytes, more than 5000"):
        decompress(api.CompressionType.ZLIB, data, 6000, most_bytes=5000)


def test_an_unknown_compression_is_refused() -> None:
    with pytest.raises(PayloadError, match="unknown compression 77"):
        decompress(77, b"", 0, most_bytes=5000)
