"""Headers and digests against entries that BookKeeper 4.17.2 wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_ledger.digest import EntryDigest, entry_id_of, lac_of, length_of, master_key
from magnetar_ledger.errors import DigestMismatchError
from magnetar_metadata.ledger_metadata import DigestType

GOLDEN = [
    (4, DigestType.CRC32, b"secret", "00000000fd46075a"),
    (5, DigestType.HMAC, b"secret", "060a8eb3c7b1a4352181761b3fab9b57669b116d"),
    (6, DigestType.CRC32C, b"secret", "8b853072"),
    (7, DigestType.DUMMY, b"secret", ""),
    (8, DigestType.HMAC, b"", "603653eb54eb5258311ad2e737eb88c7598d5182"),
]
HEADER = "0000000000000000" + "ff" * 8 + "0000000000000005"


@pytest.mark.parametrize(("ledger_id", "kind", "password", "digest_hex"), GOLDEN)
def test_golden_entries(ledger_id: int, kind: DigestType, password: bytes, digest_hex: str) -> None:
    digest = EntryDigest.of(kind, password)
    entry = bytes.fromhex(f"{ledger_id:016x}{HEADER}{digest_hex}") + b"hello"
    assert digest.header(ledger_id, 0, -1, 5, b"hello") + b"hello" == entry
    assert digest.payload_of(entry, ledger_id, 0) == b"hello"
    assert digest.size == len(digest_hex) // 2


@pytest.mark.parametrize(
    ("password", "key"),
    [
        (b"secret", "e793cbc379107648537183605cd361d3bb789a39"),
        (b"", "850bf1071c5e3d8c24235676f8816ae0cbe2f14f"),
    ],
)
def test_master_keys(password: bytes, key: str) -> None:
    assert master_key(password).hex() == key


@given(
    st.sampled_from(DigestType),
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**63 - 1),
    st.integers(-1, 2**62),
    st.integers(0, 2**62),
    st.binary(max_size=20),
)
def test_round_trip(
    kind: DigestType, ledger_id: int, entry_id: int, lac: int, length: int, payload: bytes
) -> None:
    digest = EntryDigest.of(kind, b"p")
    entry = digest.header(ledger_id, entry_id, lac, length, payload) + payload
    assert digest.payload_of(entry, ledger_id, entry_id) == payload
    assert (entry_id_of(entry), lac_of(entry), length_of(entry)) == (entry_id, lac, length)


@pytest.mark.parametrize("kind", [DigestType.CRC32, DigestType.CRC32C, DigestType.HMAC])
def test_every_flipped_bit_and_every_cut_is_noticed(kind: DigestType) -> None:
    digest = EntryDigest.of(kind, b"p")
    entry = digest.header(1, 2, 1, 10, b"payload") + b"payload"
    for place in range(len(entry)):
        broken = bytearray(entry)
        broken[place] ^= 1 << place % 8
        with pytest.raises(DigestMismatchError):
            digest.payload_of(bytes(broken), 1, 2)
        with pytest.raises(DigestMismatchError):
            digest.payload_of(entry[:place], 1, 2)


@pytest.mark.parametrize("kind", DigestType)
def test_another_entry_than_asked_for_is_noticed(kind: DigestType) -> None:
    digest = EntryDigest.of(kind, b"p")
    entry = digest.header(1, 2, 1, 10, b"payload") + b"payload"
    with pytest.raises(DigestMismatchError, match="1:2 came for 1:3"):
        digest.payload_of(entry, 1, 3)
    with pytest.raises(DigestMismatchError, match="1:2 came for 9:2"):
        digest.payload_of(entry, 9, 2)


def test_another_password_is_noticed() -> None:
    header = EntryDigest.of(DigestType.HMAC, b"a").header(1, 0, -1, 1, b"x")
    with pytest.raises(DigestMismatchError):
        EntryDigest.of(DigestType.HMAC, b"b").payload_of(header + b"x", 1, 0)


@pytest.mark.parametrize("kind", DigestType)
def test_explicit_lacs(kind: DigestType) -> None:
    digest = EntryDigest.of(kind, b"secret")
    body = digest.lac_body(7, 41)
    assert body[:16] == (7).to_bytes(8) + (41).to_bytes(8)
    assert len(body) == 16 + digest.size
    assert digest.lac_of_body(body, 7) == 41
    for wrong in (body[:-1], body + b"?", b"", b"?" + body[1:] if digest.size else body[:9]):
        with pytest.raises(DigestMismatchError):
            digest.lac_of_body(wrong, 7)
    with pytest.raises(DigestMismatchError):
        digest.lac_of_body(body, 8)
