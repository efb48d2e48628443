"""The page is made from the results alone."""

from typing import Any

from bench import report


def document() -> dict[str, Any]:
    def raw(system: str, value: float) -> dict[str, Any]:
        figures = {"entries_per_s": value, "receipt_p99_ms": 10.0}
        return {"pair": 0, "system": system, "figures": figures}

    runs = [raw("null", 900_000.0), raw("magnetar", 120_000.0), raw("pulsar", 60_000.0)]
    return {
        "commit": "abc",
        "machine": {"cores": 2},
        "plan": {"pairs": 1, "seconds": 60, "max_bytes": 8 << 30},
        "rows": {"raw_100_1": {"measured_at": 1, "runs": [*runs, raw("pulsar-lite", 99_000.0)]}},
    }


def test_comparison_has_ratio_target_and_mark() -> None:
    lines = report.comparison_table(document()).splitlines()
    assert lines[2].startswith("| raw 100 B, one connection | entries/s | 120,000 | 60,000 | 2.00")
    assert lines[2].endswith("| >= 1.50 | yes |")
    assert lines[3].endswith("| 1.00 | 1.00 - 1.00 | 1 |  |  |")


def test_loader_has_its_ceiling() -> None:
    assert report.loader_table(document()).splitlines()[2].endswith("| 900,000 | 120,000 | 7.5 |")


def test_orientation_has_the_other_columns() -> None:
    line = report.orientation_table(document()).splitlines()[2]
    assert line.endswith("| 120,000 | 60,000 |  |  | 99,000 |")


def test_page_and_chart() -> None:
    page = report.page(document(), "abc.json")
    assert "bench/results/abc.json" in page
    assert "Commit `abc`; cores 2." in page
    assert "2.00" in report.chart(document())


def test_each_section_has_its_table_and_earlier_rows_say_so() -> None:
    found = document()
    assert "## Bookies" not in report.page(found, "abc.json")
    row = found["rows"]["raw_100_1"]
    runs = [run for run in row["runs"] if run["system"] in ("magnetar", "pulsar")]
    for run in runs:
        run["figures"]["add_p99_ms"] = 3.0
    found["rows"]["bookies_java_100"] = {"measured_at": 1, "runs": runs, "commit": "def"}
    found["rows"]["bookies_java_100"]["machine"] = {"cpu": "an old one", "cores": 2}
    page = report.page(found, "abc.json")
    bookies = page.partition("## Bookies")[2].partition("\n## ")[0]
    assert "| Java client on three bookies, 100 B | entries/s | 120,000 | 60,000 |" in bookies
    assert "raw 100 B" not in bookies
    assert "At commit `def` (cpu an old one): `bookies_java_100`." in page


def test_numbers_are_short() -> None:
    assert [report.number(value) for value in (123456.7, 12.345, 0.5)] == ["123,457", "12.3", "0.5"]


def test_clients_are_compared_within_a_run() -> None:
    found = document()
    figures = {
        "sdk_messages_per_s": 300.0,
        "official_messages_per_s": 200.0,
        "sdk_memory_mb": 30.0,
        "official_memory_mb": 60.0,
    }
    runs = [{"pair": 0, "system": "magnetar", "figures": figures}]
    found["rows"]["sdk_batched"] = {"measured_at": 1, "runs": runs}
    section = report.page(found, "abc.json").partition("## The SDK")[2].partition("\n## ")[0]
    assert "| row | figure | SDK | official | ratio |" in section
    assert "messages/s | 300 | 200 | 1.50 | 1.50 - 1.50 | 1 | >= 1.00 | yes |" in section
    assert "MB at most | 30 | 60 | 0.50 |" in section
    assert report.chart(found) == report.chart(document())
