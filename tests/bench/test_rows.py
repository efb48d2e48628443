"""All rows of the table are there, and what they compute themselves is right."""

from array import array

import pytest

from bench.row import Plan
from bench.rows import ROWS, latency
from bench.servers import Server

NAMES = {
    "raw_100_1", "raw_4096_1", "raw_65536_1", "raw_100_8", "raw_4096_8", "raw_65536_8",
    "official_batched", "official_unbatched", "blocking_raw", "blocking_official", "paced_5000",
    "drain", "ten_subscriptions", "first_receipt", "memory",
    "bookies_java_100", "bookies_java_4096", "bookies_java_100_half", "bookies_java_4096_half",
    "bookies_python_100", "bookies_python_4096", "cluster_100", "cluster_4096",
    "recovery_100", "recovery_500", "recovery_1000", "web_batches", "web_batching", "web_sockets",
    "sdk_batched", "sdk_unbatched", "sdk_consume", "sdk_blocking",
}  # fmt: skip
TARGETS = {
    ("raw_100_1", "entries_per_s"): 1.5,
    ("raw_100_8", "entries_per_s"): 1.5,
    ("raw_4096_1", "mb_per_s"): 1.3,
    ("raw_65536_8", "mb_per_s"): 1.0,
    ("blocking_raw", "mean_ms"): 1 / 3,
    ("paced_5000", "receipt_p99_ms"): 1 / 2,
    ("paced_5000", "end_to_end_p99_ms"): 1 / 2,
    ("drain", "raw_per_s"): 1.5,
    ("ten_subscriptions", "deliveries_per_s"): 1.0,
    ("first_receipt", "first_receipt_s"): 1 / 8,
    ("memory", "idle_mb"): 1 / 5,
    ("memory", "loaded_mb"): 1 / 4,
    ("bookies_java_100", "entries_per_s"): 1.0,
    ("bookies_java_4096", "mb_per_s"): 1.0,
    ("bookies_java_100_half", "add_p99_ms"): 1.0,
    ("cluster_100", "entries_per_s"): 1.0,
}


def test_rows_and_targets() -> None:
    assert set(ROWS) == NAMES
    found = {(r.name, f.key): f.target for r in ROWS.values() for f in r.figures}
    assert {key: found[key] for key in TARGETS} == TARGETS


def test_end_to_end_counts_from_the_intended_send() -> None:
    figures = latency.end_to_end(array("d", [10.001, 10.5 + 0.001]), began_s=10.0, rate=2)
    assert figures["end_to_end_max_ms"] == pytest.approx(1.0)


def test_raw_row_on_the_null_server(null_server: Server) -> None:
    plan = Plan(seconds=0.05, warm_seconds=0)
    figures = ROWS["raw_4096_1"].measure(null_server, plan)
    assert figures["mb_per_s"] > 0


@pytest.mark.official
def test_paced_and_fan_out_on_a_broker(magnetar: Server) -> None:
    plan = Plan(seconds=0.1, warm_seconds=0)
    for name in ("paced_5000", "ten_subscriptions"):
        figures = ROWS[name].measure(magnetar, plan)
        assert all(figures[figure.key] > 0 for figure in ROWS[name].figures)


@pytest.mark.official
def test_web_producers_on_a_broker(magnetar: Server) -> None:
    plan = Plan(seconds=0.1, warm_seconds=0)
    for name in ("web_batches", "web_sockets"):
        figures = ROWS[name].measure(magnetar, plan)
        assert figures["messages"] >= 1000
