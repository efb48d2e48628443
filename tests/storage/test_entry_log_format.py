"""Blocks: what is written is read, in runs, within limits; damage is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_storage.entry_log_format import (
    BLOCK_BYTES,
    BLOCK_HEADER_BYTES,
    LOG_HEADER_BYTES,
    MAX_BLOCK_ENTRIES,
    Block,
    block_bytes,
    cut_blocks,
    decode_log_header,
    encode_block,
    encode_log_header,
    entry_lengths,
)
from magnetar_storage.errors import EntryLogFormatError

MANY = 1 << 30


def block_of(ids: list[int], size: int = 10, ledger_id: int = 7) -> bytes:
    parts = [part for entry_id in ids for part in (b"%6d" % entry_id, bytes(size))]
    return b"".join(encode_block(ledger_id, ids, entry_lengths(parts), parts))


def entry(entry_id: int, size: int = 10) -> bytes:
    return b"%6d" % entry_id + bytes(size)


def test_a_log_header_comes_back() -> None:
    data = encode_log_header(77)
    assert len(data) == LOG_HEADER_BYTES
    assert decode_log_header(data) == 77
    with pytest.raises(EntryLogFormatError):
        decode_log_header(data[:-1])
    with pytest.raises(EntryLogFormatError):
        decode_log_header(data[:-1] + b"\0")


def test_a_block_of_today_keeps_its_bytes() -> None:
    assert block_of([1, 2], 0).hex() == (
        "4d475442010000000700000000000000010000000000000002000000"
        "0c000000" + block_of([1, 2], 0)[32:36].hex() + "0000000001000000"
        "0600000006000000202020202031202020202032"
    )


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(0, 61), st.integers(1, 70))
def test_runs_come_back(ids: set[int], first: int, most: int) -> None:
    block = Block(block_of(sorted(ids)))
    expected = []
    entry_id = first
    while entry_id in ids and len(expected) < most:
        expected.append(entry(entry_id))
        entry_id += 1
    assert block.take(first, MANY, most, MANY) == expected
    assert block.entry_ids() == sorted(ids)
    assert (block.first_entry, block.last_entry) == (min(ids), max(ids))


def test_limits_of_a_run() -> None:
    block = Block(block_of(list(range(10, 20))))
    assert len(block.take(12, 14, 100, MANY)) == 3
    assert block.take(12, 11, 100, MANY) == []
    assert len(block.take(10, MANY, 100, 1)) == 1
    assert len(block.take(10, MANY, 100, 16)) == 1
    assert len(block.take(10, MANY, 100, 47)) == 2
    assert len(block.take(10, MANY, 100, 48)) == 3


def test_every_flipped_bit_is_noticed() -> None:
    data = block_of([1, 5])
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(EntryLogFormatError):
            Block(bytes(flipped))


@pytest.mark.parametrize("cut", [0, 30, 40, -1])
def test_a_cut_block_is_refused(cut: int) -> None:
    with pytest.raises(EntryLogFormatError):
        Block(block_of([1, 2])[:cut])


def test_blocks_end_by_count_by_bytes_and_by_distance() -> None:
    assert cut_blocks(range(700), [1] * 700) == [MAX_BLOCK_ENTRIES, 2 * MAX_BLOCK_ENTRIES, 700]
    assert cut_blocks(range(5), [BLOCK_BYTES // 2] * 5) == [2, 4, 5]
    assert cut_blocks(range(3), [BLOCK_BYTES * 3] * 3) == [1, 2, 3]
    assert cut_blocks([0, 1, 1 << 32, 1 << 40], [1] * 4) == [2, 3, 4]


def test_ids_up_to_the_widest_distance_fit() -> None:
    ids = [5, 5 + (1 << 32) - 1]
    assert Block(block_of(ids)).take(ids[1], MANY * 100, 1, MANY) == [entry(ids[1])]


def test_a_header_tells_the_length_of_its_block() -> None:
    parts = encode_block(7, [3, 5], [4, 2], [b"ab", b"cd", b"e", b"f"])
    data = b"".join(parts)
    assert block_bytes(data[:BLOCK_HEADER_BYTES]) == len(data)
    assert block_bytes(data[1:]) == block_bytes(b"") == BLOCK_HEADER_BYTES
