"""Codecs: there and back, published bytes of each format, and no growth beyond what was said."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar.compression import make_codec
from magnetar.extras import MissingExtraError
from magnetar.types import CompressionType
from magnetar_proto.errors import PayloadError

TEXT = b"hello " * 20

# As the official client (C++) sent them for TEXT.
KNOWN = {
    CompressionType.LZ4: "6f68656c6c6f2006005a50656c6c6f20",
    CompressionType.ZLib: "789ccb48cdc9c957c8a03b090077ba2c11",
    CompressionType.ZSTD: "28b52ffd20786d00003068656c6c6f2001002f692902",
    CompressionType.SNAPPY: "781468656c6c6f20fe0600c60600",
}


@pytest.mark.parametrize(("kind", "data"), KNOWN.items())
def test_what_the_official_client_wrote_is_read(kind: CompressionType, data: str) -> None:
    assert make_codec(kind).decompress(bytes.fromhex(data), len(TEXT)) == TEXT


@pytest.mark.parametrize("kind", list(CompressionType))
@given(data=st.one_of(st.binary(max_size=200), st.binary(max_size=20).map(lambda d: d * 500)))
def test_what_was_compressed_comes_back(kind: CompressionType, data: bytes) -> None:
    codec = make_codec(kind)
    assert codec.decompress(codec.compress(data), len(data)) == data


@pytest.mark.parametrize("kind", [kind for kind in CompressionType if kind])
def test_what_repeats_gets_smaller(kind: CompressionType) -> None:
    assert len(make_codec(kind).compress(TEXT)) < len(TEXT) / 2


@pytest.mark.parametrize("kind", list(CompressionType))
@pytest.mark.parametrize("difference", [-1, 1])
def test_a_wrong_size_is_refused(kind: CompressionType, difference: int) -> None:
    codec = make_codec(kind)
    with pytest.raises(PayloadError, match="do not give the"):
        codec.decompress(codec.compress(TEXT), len(TEXT) + difference)


@pytest.mark.parametrize("kind", [kind for kind in CompressionType if kind])
@pytest.mark.parametrize("data", [b"", b"junk", b"\xff" * 64])
def test_what_is_not_compressed_is_refused(kind: CompressionType, data: bytes) -> None:
    with pytest.raises(PayloadError):
        make_codec(kind).decompress(data, 50)


@pytest.mark.parametrize("kind", [kind for kind in CompressionType if kind])
def test_what_was_cut_off_is_refused(kind: CompressionType) -> None:
    codec = make_codec(kind)
    with pytest.raises(PayloadError):
        codec.decompress(codec.compress(TEXT)[:-1], len(TEXT))


@pytest.mark.parametrize("kind", [kind for kind in CompressionType if kind])
def test_a_bomb_is_not_unpacked(kind: CompressionType) -> None:
    codec = make_codec(kind)
    bomb = codec.compress(bytes(1 << 22))
    with pytest.raises(PayloadError):
        codec.decompress(bomb, 1000)


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(PayloadError, match="compression type 9"):
        make_codec(9)


@pytest.mark.parametrize(
    ("kind", "library", "extra"),
    [
        (CompressionType.LZ4, "lz4.block", "lz4"),
        (CompressionType.ZSTD, "zstandard", "zstd"),
        (CompressionType.SNAPPY, "cramjam", "snappy"),
    ],
)
def test_a_missing_library_is_named(
    kind: CompressionType, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    package = library.partition(".")[0]
    with pytest.raises(MissingExtraError, match=rf"{extra} needs .* pip install {package}$"):
        make_codec(kind)
