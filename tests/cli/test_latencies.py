"""Percentiles against sorted lists."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_cli.latencies import Latencies


@given(st.lists(st.floats(0.01, 100_000), min_size=1, max_size=200), st.floats(1, 100))
def test_percentiles_are_right_to_one_percent(values: list[float], percent: float) -> None:
    latencies = Latencies()
    for value in values:
        latencies.add(value)
    exact = sorted(values)[math.ceil(len(values) * percent / 100) - 1]
    assert exact * 0.999 <= latencies.percentile_ms(percent) <= exact * 1.011


def test_figures() -> None:
    latencies = Latencies()
    assert latencies.figures() == {}
    for value in (1, 2, 3):
        latencies.add(value)
    figures = latencies.figures()
    assert list(figures) == ["mean_ms", "p50_ms", "p95_ms", "p99_ms", "p99.9_ms", "max_ms"]
    assert figures["mean_ms"] == 2
    assert figures["max_ms"] == 3
    assert figures["p50_ms"] == pytest.approx(2, rel=0.02)


def test_no_time_at_all_is_counted() -> None:
    latencies = Latencies()
    latencies.add(0)
    assert latencies.percentile_ms(50) == 0
