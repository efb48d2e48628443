"""The names that are promised to dashboards."""

import re
from pathlib import Path

from magnetar_broker.metrics import columns

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
TABLES = (
    columns.TOPIC,
    columns.NAMESPACE,
    columns.SUBSCRIPTION,
    columns.CONSUMER,
    columns.PRODUCER,
    columns.BROKER,
    columns.BROKER_OUT_BYTES,
    columns.MANAGED_LEDGERS,
    (columns.TOPICS_COUNT, columns.LEDGER_COUNT),
)


def test_a_namespace_has_the_sums_of_its_topics_behind_those_of_the_broker() -> None:
    names = [column.name for column in columns.TOPIC]
    of_namespace = [column.name for column in columns.NAMESPACE]
    assert of_namespace[: columns.SUMMED] == names[: columns.SUMMED]
    assert "pulsar_average_msg_size" not in of_namespace
    assert of_namespace[columns.SUMMED :] == [
        column.name for column in columns.SUBSCRIPTION[: len(of_namespace) - columns.SUMMED]
    ]
    of_broker = [column.name.replace("_broker_", "_") for column in columns.BROKER[1:]]
    assert of_broker == names[: len(of_broker)]


def test_buckets_have_pulsars_names() -> None:
    names = {column.name for column in columns.TOPIC}
    for bound in ("le_0_5", "le_1", "le_1000", "overflow", "count", "sum"):
        assert f"pulsar_storage_write_latency_{bound}" in names
    for bound in ("le_128", "le_1_kb", "le_1_mb", "le_overflow", "count", "sum"):
        assert f"pulsar_entry_size_{bound}" in names


def test_the_page_tells_of_all() -> None:
    page = set(re.findall(r"pulsar_\w+", PAGE.read_text()))
    buckets = ("pulsar_storage_write_latency_", "pulsar_entry_size_")  # in short there
    names = {column.name for table in TABLES for column in table}
    assert {name for name in names - page if not name.startswith(buckets)} == set()
