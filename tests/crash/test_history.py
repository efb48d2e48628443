"""The judge of the kill loop must itself find what it looks for."""

import pytest

from tests.crash.history import Verdict, judge


@pytest.mark.parametrize(
    ("acknowledged", "read", "verdict"),
    [
        pytest.param([0, 1, 2], [0, 1, 2, 3], Verdict(0, 0, 0, 0), id="all there"),
        pytest.param([0, 1], [0, 1], Verdict(0, 0, 0, 0), id="unacknowledged may be missing"),
        pytest.param([0, 1, 2], [0, 2], Verdict(1, 0, 0, 0), id="acknowledged is lost"),
        pytest.param([0, 1, 2], [0, 1, 2, 1, 2, 3], Verdict(0, 0, 0, 2), id="resent"),
        pytest.param([0, 1, 2], [0, 2, 1], Verdict(0, 0, 1, 0), id="out of order"),
        pytest.param([], [0, 4], Verdict(0, 1, 0, 0), id="never sent"),
    ],
)
def test_judge(acknowledged: list[int], read: list[int], verdict: Verdict) -> None:
    assert judge(4, acknowledged, read) == verdict
    assert verdict.worst(Verdict(0, 0, 0, 0)) == verdict
    assert verdict.clean is (verdict.lost + verdict.phantoms + verdict.order_breaks == 0)
