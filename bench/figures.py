"""The figures that workers print, by the same names for every client."""

from typing import Any

from bench.latency import LatencyHistogram


def of_rate(messages: int, elapsed_s: float) -> dict[str, Any]:
    """Of messages that were sent or received one behind another."""
    return {
        "messages": messages,
        "seconds": round(elapsed_s, 3),
        "messages_per_s": round(messages / elapsed_s, 1),
    }


def of_blocking_sends(latencies: LatencyHistogram, elapsed_s: float) -> dict[str, Any]:
    """Of messages that each waited for the receipt of the one before."""
    return {
        "messages": latencies.total,
        "seconds": round(elapsed_s, 3),
        "mean_ms": round(elapsed_s / latencies.total * 1000, 4),
        **latencies.figures("send"),
    }
