"""Which entries there are, in BookKeeper's form."""

from collections.abc import Iterable
from struct import iter_unpack, unpack_from

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_proto.bookkeeper.availability import (
    GROUP_BYTES,
    HEADER_BYTES,
    AvailabilityEncoder,
)


def encode(*chunks: Iterable[int]) -> bytes:
    encoder = AvailabilityEncoder()
    for chunk in chunks:
        encoder.feed(chunk)
    size = encoder.size
    data = encoder.finish()
    assert len(data) <= size
    return data


def groups(data: bytes) -> list[tuple[int, ...]]:
    version, count = unpack_from(">ii", data)
    assert (version, data[8:HEADER_BYTES]) == (0, bytes(56))
    found = list(iter_unpack(">qqii", data[HEADER_BYTES:]))
    assert len(found) == count
    return found


def ids(data: bytes) -> list[int]:
    """As BookKeeper reads it."""
    return [
        start + n
        for first, last, size, period in groups(data)
        for start in range(first, last + 1, period or 1)
        for n in range(size)
    ]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([], []),
        ([[0]], [(0, 0, 1, 0)]),
        ([range(10)], [(0, 0, 10, 0)]),
        ([range(5), range(5, 10)], [(0, 0, 10, 0)]),
        ([[0, 1, 3, 4, 6, 7, 9]], [(0, 6, 2, 3), (9, 9, 1, 0)]),
        ([[0, 0, 1, 1], [1, 2, 2]], [(0, 0, 3, 0)]),
        ([range(0, 30, 3)], [(0, 27, 1, 3)]),
        ([[5, 6], [9, 10], [14, 15]], [(5, 9, 2, 4), (14, 14, 2, 0)]),
        ([[0, 1 << 40]], [(0, 0, 1, 0), (1 << 40, 1 << 40, 1, 0)]),
    ],
)
def test_groups(chunks: list[Iterable[int]], expected: list[tuple[int, ...]]) -> None:
    assert groups(encode(*chunks)) == expected


def test_bytes() -> None:
    data = encode([0, 1, 3, 4])
    assert len(data) == HEADER_BYTES + GROUP_BYTES
    assert data.hex() == "0000000000000001" + "00" * 56 + (
        "000000000000000000000000000000030000000200000003"
    )


@given(st.lists(st.sets(st.integers(0, 400)), max_size=3))
def test_what_goes_in_comes_out(chunks: list[set[int]]) -> None:
    parts = [[1000 * n + each for each in sorted(chunk)] for n, chunk in enumerate(chunks)]
    assert ids(encode(*parts)) == [each for part in parts for each in part]


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 200))
def test_stripes_make_few_groups(size: int, gap: int, count: int) -> None:
    wanted = [n for n in range(count) if n % (size + gap) < size]
    data = encode(wanted)
    assert ids(data) == wanted
    assert len(groups(data)) <= 2
