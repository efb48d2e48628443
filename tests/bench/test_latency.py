"""The histogram is precise to half a percent."""

import pytest

from bench.latency import LatencyHistogram


def test_quantiles() -> None:
    histogram = LatencyHistogram()
    histogram.add_all(number / 1000 for number in range(1, 1001))
    assert histogram.quantile(0.5) == pytest.approx(0.5, rel=0.005)
    assert histogram.quantile(0.99) == pytest.approx(0.99, rel=0.005)
    assert histogram.quantile(1.0) <= histogram.largest_s == 1.0


def test_counts_weigh() -> None:
    histogram = LatencyHistogram()
    histogram.add(0.001, 99)
    histogram.add(1.0)
    assert histogram.total == 100
    assert histogram.quantile(0.99) == pytest.approx(0.001, rel=0.005)
    assert histogram.quantile(0.999) == 1.0


def test_figures_are_named_and_in_milliseconds() -> None:
    histogram = LatencyHistogram()
    assert histogram.figures("x")["x_p99_ms"] == 0.0
    histogram.add(0.25)
    assert histogram.figures("x") == {
        "x_p50_ms": 250.0,
        "x_p99_ms": 250.0,
        "x_p999_ms": 250.0,
        "x_max_ms": 250.0,
    }
