"""Sorted as by `sorted`, whatever the order they come in."""

from hypothesis import given
from hypothesis import strategies as st
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.slices import Slices
from magnetar_storage import sliced
from magnetar_storage.sliced import sorted_in_slices


@given(st.sets(st.integers(0, 1 << 62)), st.booleans())
async def test_all_numbers_ascending(numbers: set[int], ordered: bool) -> None:
    given_order = dict.fromkeys(sorted(numbers) if ordered else numbers)
    slices = Slices(SystemClock())
    step, sliced._SORT_NUMBERS = sliced._SORT_NUMBERS, 5  # type: ignore[misc]
    try:
        found = list(await sorted_in_slices(given_order, slices))
    finally:
        sliced._SORT_NUMBERS = step  # type: ignore[misc]
    assert found == sorted(numbers)
