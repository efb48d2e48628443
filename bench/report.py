"""Renders docs/performance.md and its chart from a result file."""

from pathlib import Path
from typing import Any, Final

from bench.chart import Bar, draw
from bench.results import Comparison, compare
from bench.row import STANDALONE, Figure, Row
from bench.rows import ROWS
from bench.runner import ORIENTATION, OURS, THEIRS, RunRecord
from bench.scale_table import section as scale_section
from bench.servers import ROOT

PAGE: Final = ROOT / "docs" / "performance.md"
CHART: Final = ROOT / "docs" / "performance.svg"
MARKS: Final = {True: "yes", False: "**no**", None: ""}
METHOD: Final = """\
Made by `python -m bench table` from `{source}`; do not edit.

Both brokers run on the same machine in the same run, with the journal synced before each receipt,
with the same clients, in turn (ours, theirs), each time on an empty directory and after a warming
that does not count. Both are told to roll ledgers over often enough to have it in the measured
time. A ratio is the median over the pairs of ours : theirs, with the smallest and the largest.
Latencies count from the moment at which a message should have been sent. `make bench` repeats it;
`make bench ROWS=raw_100_1` repeats one row.
"""
ORIENTATION_NOTE: Final = """\
One run each. As shipped, Pulsar's standalone does not sync its journal; with
`journalFlushWhenQueueEmpty=true` it syncs without waiting, its fairest setting; pulsar-lite keeps
everything in memory.
"""


def write(document: dict[str, Any], source: Path) -> None:
    """Writes page and chart."""
    PAGE.write_text(page(document, source.name))
    CHART.write_text(chart(document))


def page(document: dict[str, Any], source: str) -> str:
    """The whole page."""
    parts = [
        "# Performance\n",
        METHOD.format(source=f"bench/results/{source}"),
        machine_line(document),
        *older_lines(document),
        "![Ratios against Apache Pulsar](performance.svg)\n",
        *_sections(document),
        "## What the raw loader can do\n",
        "The same loader against a server that only answers.\n",
        loader_table(document),
        "## For orientation\n",
        ORIENTATION_NOTE,
        orientation_table(document),
        *filter(None, [scale_section()]),
    ]
    return "\n".join(parts)


def machine_line(document: dict[str, Any]) -> str:
    """One sentence on where it was measured."""
    machine = document.get("machine", {})
    words = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in machine.items())
    plan = document.get("plan", {})
    return (
        f"Commit `{document['commit']}`; {words}. "
        f"Each run {plan.get('seconds')} s or {plan.get('max_bytes', 0) / 1e9:.1f} GB.\n"
    )


def older_lines(document: dict[str, Any]) -> list[str]:
    """Which rows are from earlier commits or from runs of another length."""
    others: dict[str, list[str]] = {}
    for name in ROWS:
        row = document["rows"].get(name, {})
        if commit := row.get("commit"):
            where = f"At commit `{commit}`{_elsewhere(row.get('machine', {}))}"
            others.setdefault(where, []).append(f"`{name}`")
        if seconds := row.get("seconds"):
            others.setdefault(f"Runs of {seconds:.0f} s", []).append(f"`{name}`")
    return [f"{what}: {', '.join(names)}.\n" for what, names in others.items()]


def _elsewhere(machine: dict[str, Any]) -> str:
    """What of a machine moves figures the most, and what else it did."""
    told = ("cpu", "fdatasync_4k_median_us", "beside")
    words = [f"{key.replace('_', ' ')} {machine[key]}" for key in told if key in machine]
    return f" ({', '.join(words)})" if words else ""


def _sections(document: dict[str, Any]) -> list[str]:
    parts = []
    for section in dict.fromkeys(row.section for row in ROWS.values()):
        if any(row.section == section for row, _, _ in comparisons(document)):
            parts += [f"## {section}\n", comparison_table(document, section)]
    return parts


def comparison_table(document: dict[str, Any], section: str = STANDALONE) -> str:
    """A line for each figure of each measured row of a section."""
    columns = next(row.columns for row in ROWS.values() if row.section == section)
    lines = [
        ["row", "figure", *columns, "ratio", "spread", "pairs", "target", "reached"],
        ["---", "---", "--:", "--:", "--:", "--:", "--:", "--:", "---"],
    ]
    for row, figure, found in comparisons(document):
        if row.section != section:
            continue
        sign = "<=" if figure.less_is_better else ">="
        lines.append(
            [
                row.title,
                figure.unit,
                number(found.ours),
                number(found.theirs),
                f"{found.ratio:.2f}",
                f"{found.low:.2f} - {found.high:.2f}",
                str(found.pairs),
                f"{sign} {figure.target:.2f}" if figure.target is not None else "",
                MARKS[figure.reached(found.ratio)],
            ]
        )
    return table(lines)


def comparisons(document: dict[str, Any]) -> list[tuple[Row, Figure, Comparison]]:
    """All figures with at least one pair, in the order of the rows."""
    found = []
    for row in ROWS.values():
        for figure in row.figures:
            comparison = compare(runs_of(document, row), figure)
            if comparison is not None:
                found.append((row, figure, comparison))
    return found


def loader_table(document: dict[str, Any]) -> str:
    """The null server's figure next to the best measured one."""
    lines = [["row", "null server", "best of both", "times"], ["---", "--:", "--:", "--:"]]
    for row in ROWS.values():
        key = row.figures[0].key
        runs = runs_of(document, row)
        null = [run["figures"][key] for run in runs if run["system"] == "null"]
        real = [run["figures"][key] for run in runs if run["system"] in (OURS, THEIRS)]
        if null and real:
            times = f"{null[0] / max(real):.1f}"
            lines.append([row.title, number(null[0]), number(max(real)), times])
    return table(lines)


def orientation_table(document: dict[str, Any]) -> str:
    """The further columns."""
    systems = [OURS, THEIRS, *ORIENTATION]
    lines = [["row", "figure", *systems], ["---", "---", *["--:"] * len(systems)]]
    for row in ROWS.values():
        runs = runs_of(document, row)
        if not any(run["system"] in ORIENTATION for run in runs):
            continue
        for figure in row.figures:
            cells = [_first(runs, system, figure.key) for system in systems]
            lines.append([row.title, figure.unit, *cells])
    return table(lines)


def _first(runs: list[RunRecord], system: str, key: str) -> str:
    values = [run["figures"][key] for run in runs if run["system"] == system]
    return number(values[0]) if values else ""


def runs_of(document: dict[str, Any], row: Row) -> list[RunRecord]:
    """The runs of a row, none if it was not measured."""
    runs: list[RunRecord] = document["rows"].get(row.name, {}).get("runs", [])
    return runs


def chart(document: dict[str, Any]) -> str:
    """Each figure with a target as one bar: how many times better than Pulsar."""
    bars = []
    for row, figure, found in comparisons(document):
        if figure.target is None or figure.peer:
            continue
        better, target = found.ratio, figure.target
        if figure.less_is_better:
            better, target = 1 / better, 1 / target
        bars.append(Bar(f"{row.title}: {figure.unit}", better, target))
    return draw(f"{OURS} : {THEIRS}, times better (line: target)", bars)


def table(lines: list[list[str]]) -> str:
    """A Markdown table; the second line is the ruler."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def number(value: float) -> str:
    """Three digits that matter, thousands apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
