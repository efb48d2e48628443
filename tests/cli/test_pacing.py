"""A pace lets through what its rate allows, and says how long to wait."""

import pytest
from magnetar_cli.pacing import Pace


def test_without_a_rate_all_may_go() -> None:
    pace = Pace(0, 100)
    assert pace.due(5, 100, 10) == 10
    assert pace.wait_s(5, 100) == 0


def test_a_rate_is_kept() -> None:
    pace = Pace(10, 100)
    assert pace.due(0, 100, 100) == 1
    assert pace.due(1, 100, 100) == 0
    assert pace.wait_s(1, 100) == pytest.approx(0.1)
    assert pace.due(1, 101, 100) == 10
    assert pace.due(1, 101, 3) == 3


def test_what_was_late_is_made_up_for() -> None:
    assert Pace(10, 0).wait_s(5, 60) == 0
