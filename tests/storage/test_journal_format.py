"""Journal bytes: what is written is read, and nothing else is."""

import random

import pytest
from fastcrc.crc32 import iscsi as crc32c
from hypothesis import given
from hypothesis import strategies as st
from magnetar_storage.errors import JournalFormatError
from magnetar_storage.gather import JOIN_BYTES
from magnetar_storage.journal_format import (
    FILE_HEADER_BYTES,
    FileHeader,
    GroupFlag,
    KeyHead,
    RecordKind,
    decode_file_header,
    decode_group,
    decode_key_head,
    encode_file_header,
    encode_group,
    find_group,
    group_size,
    size_of_group,
)

FILE_ID = 0x1122334455667788
HEADER = FileHeader(3, FILE_ID, 1 << 20)


def group(parts: list[bytes], kinds: bytes | None = None, sequence: int = 5) -> bytes:
    if kinds is None:
        kinds = bytes([RecordKind.ENTRY]) * (len(parts) // 2)
    return b"".join(encode_group(FILE_ID, sequence, kinds, parts))


def test_a_file_header_comes_back() -> None:
    data = encode_file_header(HEADER)
    assert len(data) == FILE_HEADER_BYTES
    assert decode_file_header(data) == HEADER


def test_a_file_header_of_today_keeps_its_bytes() -> None:
    assert encode_file_header(HEADER)[:36].hex() == (
        "4d47544a01000000030000000000000088776655443322110000100000000000e961b04a"
    )


@pytest.mark.parametrize("offset", [0, 4, 8, 20, 30, 33])
def test_a_flipped_file_header_is_refused(offset: int) -> None:
    data = bytearray(encode_file_header(HEADER))
    data[offset] ^= 1
    with pytest.raises(JournalFormatError):
        decode_file_header(bytes(data))
    with pytest.raises(JournalFormatError):
        decode_file_header(bytes(data[:100]))


@given(st.lists(st.tuples(st.binary(max_size=60), st.binary(max_size=60)), max_size=20))
def test_records_come_back(records: list[tuple[bytes, bytes]]) -> None:
    parts = [part for record in records for part in record]
    data = b"before" + group(parts) + b"behind"
    found = decode_group(data, 6, FILE_ID)
    assert found.size == group_size(len(records), sum(map(len, parts))) == len(data) - 12
    assert found.sequence == 5
    assert found.flags == GroupFlag.NONE
    assert list(found.lengths) == list(map(len, parts))
    assert found.body == b"".join(parts)


def test_a_clean_end_has_no_records() -> None:
    data = b"".join(encode_group(FILE_ID, 9, b"", [], GroupFlag.CLEAN_END))
    assert decode_group(data, 0, FILE_ID).flags == GroupFlag.CLEAN_END
    assert len(data) == group_size(0, 0)


def test_long_parts_are_not_copied() -> None:
    long = bytes(JOIN_BYTES + 1)
    vector = encode_group(FILE_ID, 1, b"\x01\x01", [b"h1", long, b"h2", b"short"])
    assert vector[2] is long
    assert vector[1:] == [b"h1", long, b"h2short"]


@pytest.mark.parametrize("cut", [0, 10, 35, 36, 50, -1])
def test_a_cut_group_is_refused(cut: int) -> None:
    data = group([b"head", b"payload", b"", b"x"])
    with pytest.raises(JournalFormatError):
        decode_group(data[:cut], 0, FILE_ID)


def test_every_flipped_bit_is_noticed() -> None:
    data = group([b"head", b"payload"])
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(JournalFormatError):
            decode_group(bytes(flipped), 0, FILE_ID)


def test_a_group_of_another_file_is_no_group() -> None:
    data = group([b"head", b"payload"])
    with pytest.raises(JournalFormatError):
        size_of_group(data, 0, FILE_ID + 1)
    assert find_group(data, 0, FILE_ID + 1) == -1


def test_groups_are_found_in_noise() -> None:
    noise = random.Random(1).randbytes(500) + b"MGTG" + bytes(40)
    assert find_group(noise + group([b"", b""]), 0, FILE_ID) == len(noise)
    assert find_group(noise, 0, FILE_ID) == -1


def test_heads_of_keys() -> None:
    for head in (KeyHead(1 << 62, 65_535, began=True), KeyHead(0, 0, began=False)):
        assert decode_key_head(head.encode()) == head
    assert decode_key_head((9).to_bytes(8)) == KeyHead(9, 0, began=False)


def test_groups_of_the_first_format_are_read() -> None:
    group = bytearray(b"".join(encode_group(7, 1, b"\x01", [b"head", b"payload"])))
    assert group[4:6] == b"\x02\x00"
    group[4] = 1
    group[32:36] = crc32c(group[36:], crc32c(group[:32])).to_bytes(4, "little")
    assert decode_group(bytes(group), 0, 7).body == b"headpayload"
    group[4] = 3
    with pytest.raises(JournalFormatError, match="format 3"):
        decode_group(bytes(group), 0, 7)
