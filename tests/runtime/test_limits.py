"""Limits: what hangs together, and what cannot be."""

import pytest
from magnetar_runtime.limits import Limits


def test_a_frame_has_room_for_the_command_around_the_largest_message() -> None:
    assert Limits().max_frame_bytes == 5_253_120
    assert Limits(max_message_bytes=1000).max_frame_bytes == 11_240


@pytest.mark.parametrize("field", ["max_message_bytes", "max_pending_publishes_per_connection"])
def test_bounds_of_zero_are_refused(field: str) -> None:
    with pytest.raises(AssertionError):
        Limits(**{field: 0})
