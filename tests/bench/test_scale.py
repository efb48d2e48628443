"""What the scale bench computes itself; the whole of it runs in tests/interop."""

import argparse
import json
from pathlib import Path

from bench.scale import _keep, _numbers, _percentiles


def test_numbers_and_percentiles() -> None:
    assert _numbers("1,2") == [1, 2]
    assert _numbers("") == []
    assert _percentiles([float(n) for n in range(1, 1001)]) == {"p50": 500.5, "p99": 990.99}


def test_rows_are_kept_beside_others(tmp_path: Path) -> None:
    options = argparse.Namespace(output=tmp_path / "scale.json", note="shared")
    _keep(options, "topics", 100, {"load_s": 1.0})
    _keep(options, "topics", 1000, {"load_s": 9.0})
    _keep(options, "topics", 100, {"load_s": 2.0})
    found = json.loads(options.output.read_text())["topics"]
    assert {count: row["load_s"] for count, row in found.items()} == {"100": 2.0, "1000": 9.0}
    assert found["100"]["note"] == "shared"
    assert found["100"]["commit"]
