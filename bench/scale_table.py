"""Renders the section on scale of docs/performance.md from bench/scale.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench.servers import ROOT

SCALE: Final = ROOT / "bench" / "scale.json"
METHOD: Final = """\
`python -m bench.scale`: `magnetar cluster run` with three bookies and a ZooKeeper on the same
machine, E2/Qw2/Qa2. A topic has a producer and a consumer of one subscription, 64 are opened at a
time; its memory is that of the broker (PSS), after the broker was stopped and has loaded all topics
again. Lookups go one after the other over one connection.
"""
TOPICS: Final = (
    ("make_s", "s, to make"),
    ("stop_and_start_s", "s, broker stopped and ready again"),
    ("load_s", "s, to load"),
    ("topic_kb", "KB per topic"),
    ("lookup_p50_ms", "ms, lookup p50"),
    ("lookup_p99_ms", "ms, lookup p99"),
)
CONNECTIONS: Final = (
    ("open_s", "s, to open, with a producer each"),
    ("connection_kb", "KB per connection"),
    ("receipt_p50_ms", "ms, receipt p50, each sends once a second"),
    ("receipt_p99_ms", "ms, receipt p99"),
)
BROKERS: Final = (
    ("entries_per_s", "entries/s, 100 B, 16 topics, window 1,000 each"),
    ("receipt_p99_ms", "ms, receipt p99"),
)
_TABLES: Final = (
    ("topics", "topics on one broker", TOPICS),
    ("connections", "connections to one broker", CONNECTIONS),
    ("brokers", "brokers on the same machine", BROKERS),
)


def section(path: Path = SCALE) -> str:
    """The whole section; empty if nothing was measured."""
    if not path.exists():
        return ""
    document: dict[str, Any] = json.loads(path.read_text())
    parts = ["## Scale\n", METHOD, _remarks(document)]
    parts += [
        _table(title, document[kind], columns)
        for kind, title, columns in _TABLES
        if document.get(kind)
    ]
    return "\n".join(parts)


def _remarks(document: Mapping[str, Any]) -> str:
    rows = [row for kind, _, _ in _TABLES for row in document.get(kind, {}).values()]
    commits = " and ".join(f"`{commit}`" for commit in dict.fromkeys(row["commit"] for row in rows))
    notes = "".join(f" {note}" for note in dict.fromkeys(row["note"] for row in rows) if note)
    return f"Commit {commits}.{notes}\n"


def _table(
    title: str, rows: Mapping[str, Mapping[str, float]], columns: tuple[tuple[str, str], ...]
) -> str:
    counts = sorted(rows, key=int)
    lines = [
        [title, *(f"{int(count):,}" for count in counts)],
        ["---", *["--:"] * len(counts)],
        *([unit, *(_number(rows[count].get(key)) for count in counts)] for key, unit in columns),
    ]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
