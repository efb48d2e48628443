"""The section on scale is made from its results alone."""

import json
from pathlib import Path

from bench.scale_table import section


def test_the_tables(tmp_path: Path) -> None:
    row = {"commit": "abc", "note": "The machine was shared."}
    document = {
        "topics": {
            "1000": {**row, "load_s": 8.5, "topic_kb": 35.21},
            "100": {**row, "load_s": 1.0, "topic_kb": 70.0},
        },
        "brokers": {"2": {**row, "commit": "def", "entries_per_s": 89392}},
    }
    path = tmp_path / "scale.json"
    path.write_text(json.dumps(document))
    text = section(path)
    assert "Commit `abc` and `def`. The machine was shared.\n" in text
    assert "| topics on one broker | 100 | 1,000 |\n" in text
    assert "| KB per topic | 70 | 35.2 |\n" in text
    assert "| s, to make |  |  |\n" in text
    assert "| brokers on the same machine | 2 |\n" in text
    assert "89,392" in text
    assert "connections" not in text.partition("| topics")[2]


def test_nothing_was_measured(tmp_path: Path) -> None:
    assert section(tmp_path / "scale.json") == ""
