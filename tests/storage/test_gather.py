"""Gathering parts for a writev."""

from hypothesis import given
from hypothesis import strategies as st
from magnetar_storage.gather import JOIN_BYTES, gather

LONG = bytes(JOIN_BYTES + 1)


@given(st.lists(st.sampled_from([b"", b"a", b"bc", LONG])))
def test_the_bytes_stay_the_same(parts: list[bytes]) -> None:
    vector = gather(parts, list(map(len, parts)))
    assert b"".join(vector) == b"".join(parts)
    assert sum(part is LONG for part in vector) == parts.count(LONG)
    assert len(vector) <= 2 * parts.count(LONG) + 1


def test_short_parts_are_one() -> None:
    assert gather([b"a", b"b", b"c"], [1, 1, 1]) == [b"abc"]
    assert gather([], []) == []
