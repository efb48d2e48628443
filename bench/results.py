"""Results on disk: one JSON per commit, rows merged into it as they are measured."""

import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.row import Figure
from bench.runner import OURS, THEIRS, RunRecord
from bench.servers import ROOT

RESULTS: Final = ROOT / "bench" / "results"
SYNC_PROBES: Final = 200


@dataclass(frozen=True)
class Comparison:
    """One figure of one row over all pairs.

    Attributes:
        ours: Median of our runs.
        theirs: Median of theirs.
        ratio: Median of ours : theirs of each pair.
        low: The smallest ratio of a pair.
        high: The largest.
        pairs: How many there were.
    """

    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    pairs: int


def compare(runs: list[RunRecord], figure: Figure) -> Comparison | None:
    """Compares the pairs that have both systems; None if there is none."""
    pairs: dict[int, dict[str, float]] = {}
    for run in runs:
        pair, figures = pairs.setdefault(run["pair"], {}), run["figures"]
        if not figure.peer:
            pair[run["system"]] = figures.get(figure.key)
        elif run["system"] == OURS:
            pair.update({OURS: figures.get(figure.key), THEIRS: figures.get(figure.peer)})
    both = [pair for pair in pairs.values() if pair.get(OURS) and pair.get(THEIRS)]
    if not both:
        return None
    ratios = [pair[OURS] / pair[THEIRS] for pair in both]
    return Comparison(
        ours=statistics.median(pair[OURS] for pair in both),
        theirs=statistics.median(pair[THEIRS] for pair in both),
        ratio=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        pairs=len(ratios),
    )


def load(path: Path) -> dict[str, Any]:
    """A result file, or the beginning of one."""
    if path.exists():
        document: dict[str, Any] = json.loads(path.read_text())
        return document
    return {"commit": path.stem, "rows": {}}


def merge(path: Path, row: str, runs: list[RunRecord], context: dict[str, Any]) -> None:
    """Puts one row's runs into the file, in place of earlier ones of that row."""
    document = load(path)
    document.update(context)
    document["rows"][row] = {"measured_at": int(time.time()), "runs": runs}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(document, indent=1) + "\n")
    part.replace(path)


def newest(directory: Path = RESULTS) -> Path | None:
    """The result file that was measured last."""

    def measured_at(path: Path) -> int:
        rows = json.loads(path.read_text())["rows"].values()
        return max((row["measured_at"] for row in rows), default=0)

    return max(directory.glob("*.json"), key=measured_at, default=None)


def with_older(document: dict[str, Any], directory: Path = RESULTS) -> dict[str, Any]:
    """The document with the rows that it lacks, as they were measured last; those say at which
    commit and on which machine."""
    rows: dict[str, Any] = {}
    for path in directory.glob("*.json"):
        other = load(path)
        for name, row in other["rows"].items():
            if name not in rows or row["measured_at"] > rows[name]["measured_at"]:
                rows[name] = {**row, "commit": path.stem, "machine": other.get("machine", {})}
    return {**document, "rows": {**rows, **document["rows"]}}


def path_of_head() -> Path:
    """Where results of the commit that is checked out go."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return RESULTS / f"{done.stdout.strip()}.json"


def describe_machine(directory: Path) -> dict[str, Any]:
    """What the figures depend on; no names of hosts or users."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "fdatasync_4k_median_us": _sync_median_us(directory),
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _sync_median_us(directory: Path) -> int:
    """What one group commit costs on the disk under `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    sync = getattr(os, "fdatasync", os.fsync)
    times_s = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(SYNC_PROBES):
            began_s = time.perf_counter()
            os.write(file.fileno(), bytes(4096))
            sync(file.fileno())
            times_s.append(time.perf_counter() - began_s)
    return round(statistics.median(times_s) * 1e6)
