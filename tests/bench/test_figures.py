"""Figures have the same names for every client."""

from bench.figures import of_blocking_sends, of_rate
from bench.latency import LatencyHistogram


def test_of_a_rate() -> None:
    assert of_rate(300, 1.5) == {"messages": 300, "seconds": 1.5, "messages_per_s": 200.0}


def test_of_blocking_sends() -> None:
    latencies = LatencyHistogram()
    latencies.add_all([0.001, 0.003])
    figures = of_blocking_sends(latencies, 0.004)
    assert (figures["messages"], figures["seconds"], figures["mean_ms"]) == (2, 0.004, 2.0)
    assert figures["send_max_ms"] == 3.0
