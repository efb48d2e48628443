"""Sparse bytes against a bytearray."""

from hypothesis import given
from hypothesis import strategies as st
from magnetar_runtime.sim.pages import PAGE_BYTES, Pages

PLACES = st.sampled_from([0, 1, 511, 512, PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 7, 20_000])
STEPS = st.one_of(
    st.tuples(st.just("write"), PLACES, st.sampled_from([1, 512, 5_000])),
    st.tuples(st.sampled_from(["truncate", "grow"]), PLACES, st.just(0)),
)


@given(st.lists(STEPS, max_size=12), PLACES, PLACES)
def test_pages_are_bytes(steps: list[tuple[str, int, int]], offset: int, length: int) -> None:
    pages, expected = Pages(), bytearray()
    for number, (name, place, size) in enumerate(steps):
        before, was = pages.copy(), bytes(expected)
        if name == "write":
            data = bytes([number + 1]) * size
            pages.write(place, data)
            expected.extend(bytes(max(0, place + size - len(expected))))
            expected[place : place + size] = data
        elif name == "truncate":
            pages.truncate(place)
            del expected[place:]
            expected.extend(bytes(place - len(expected)))
        else:
            pages.grow(place)
            expected.extend(bytes(max(0, place - len(expected))))
        assert before.read(0, 1 << 20) == was
    assert pages.size == len(expected)
    assert pages.read(0, 1 << 20) == expected
    assert pages.read(offset, length) == expected[offset : offset + length]
