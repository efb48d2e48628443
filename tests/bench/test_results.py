"""Medians of pairs, and one file per commit that rows are merged into."""

from pathlib import Path

from bench.results import compare, describe_machine, load, merge, newest, with_older
from bench.row import Figure


def run(pair: int, system: str, value: float) -> dict[str, object]:
    return {"pair": pair, "system": system, "figures": {"x": value}}


def test_ratio_is_the_median_of_the_pairs() -> None:
    pairs = enumerate([(300.0, 100.0), (100.0, 100.0), (500.0, 250.0)])
    runs = [
        run(pair, system, value)
        for pair, values in pairs
        for system, value in zip(("magnetar", "pulsar"), values, strict=True)
    ]
    found = compare(runs, Figure("x", "u"))
    assert found is not None
    assert (found.ratio, found.low, found.high) == (2.0, 1.0, 3.0)
    assert (found.ours, found.theirs) == (300.0, 100.0)


def test_half_a_pair_is_none() -> None:
    assert compare([run(0, "magnetar", 1.0), run(0, "null", 1.0)], Figure("x", "u")) is None


def test_rows_are_merged_into_one_file(tmp_path: Path) -> None:
    path = tmp_path / "results" / "abc.json"
    merge(path, "one", [], {"machine": {"cores": 2}})
    merge(path, "two", [run(0, "magnetar", 1.0)], {})
    document = load(path)
    assert document["commit"] == "abc"
    assert document["machine"] == {"cores": 2}
    assert set(document["rows"]) == {"one", "two"}
    assert newest(path.parent) == path
    assert newest(tmp_path) is None


def test_machine_is_described_without_names(tmp_path: Path) -> None:
    machine = describe_machine(tmp_path)
    assert machine["cores"] >= 1
    assert machine["fdatasync_4k_median_us"] > 0
    assert set(machine) == {
        "cpu", "cores", "memory_gb", "kernel", "python", "fdatasync_4k_median_us"
    }  # fmt: skip


def test_rows_that_were_not_measured_again_come_from_earlier_files(tmp_path: Path) -> None:
    for commit, rows in {"old": ["one", "two"], "new": ["two", "three"]}.items():
        for name in rows:
            merge(tmp_path / f"{commit}.json", name, [run(0, commit, 1.0)], {})
    found = with_older(load(tmp_path / "new.json"), tmp_path)
    assert found["commit"] == "new"
    assert {name: row.get("commit") for name, row in found["rows"].items()} == {
        "one": "old", "two": None, "three": None
    }  # fmt: skip
    assert found["rows"]["two"]["runs"][0]["system"] == "new"
