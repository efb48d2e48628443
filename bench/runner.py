"""Runs a row: ours and theirs in turn, each on a fresh server with an empty directory."""

import importlib.util
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.errors import BenchError, MeasurementError
from bench.row import MakeServer, Plan, Row
from bench.servers import ApachePulsar, Magnetar, NullServer, PulsarLite, Server

OURS: Final = "magnetar"
THEIRS: Final = "pulsar"
NULL_SECONDS: Final = 5.0

Say = Callable[[str], None]
RunRecord = dict[str, Any]


def _pulsar_when_empty(directory: Path, settings: Mapping[str, str]) -> Server:
    fairest = {**settings, "journalFlushWhenQueueEmpty": "true"}
    return ApachePulsar(directory, fairest, name="pulsar-flush-when-empty")


SYSTEMS: Final[dict[str, MakeServer]] = {OURS: Magnetar, THEIRS: ApachePulsar}
ORIENTATION: Final[dict[str, MakeServer]] = {
    "pulsar-as-shipped": lambda directory, settings: ApachePulsar(
        directory, settings, name="pulsar-as-shipped", synced=False
    ),
    "pulsar-flush-when-empty": _pulsar_when_empty,
    "pulsar-lite": PulsarLite,
}


class RowRunner:
    """Takes all runs of one row.

    Args:
        pairs: How often ours and theirs are measured.
        systems: Names of the systems to measure; others are left out.
        say: Told about each run as it ends.
    """

    def __init__(self, row: Row, plan: Plan, pairs: int, systems: set[str], say: Say) -> None:
        self._row = row
        self._plan = plan
        self._pairs = pairs
        self._systems = systems
        self._say = say

    def run(self) -> list[RunRecord]:
        """The records of all runs: pair, system, figures."""
        records = []
        if self._row.null_server and "null" in self._systems:
            records.append(self._null())
        for pair in range(self._pairs):
            for name, make in (self._row.systems or SYSTEMS).items():
                if name in self._systems:
                    records.append(self._one(pair, name, make))
        if self._row.orientation:
            for name, make in ORIENTATION.items():
                if name in self._systems and is_available(name):
                    records.extend(self._for_orientation(name, make))
        return records

    def _null(self) -> RunRecord:
        seconds = min(NULL_SECONDS, self._plan.seconds)
        plan = Plan(seconds, 1 << 50, directory=self._plan.directory)
        server = NullServer(self._plan.directory / "null")
        server.start()
        try:
            return self._record(0, server.name, self._row.measure(server, plan))
        finally:
            server.kill()
            server.wipe()

    def _for_orientation(self, name: str, make: MakeServer) -> list[RunRecord]:
        """A system that fails here costs its column, not the run."""
        try:
            return [self._one(0, name, make)]
        except BenchError as error:
            self._say(f"{self._row.name} {name}: failed, {error}")
            return []

    def _one(self, pair: int, name: str, make: MakeServer) -> RunRecord:
        server = make(self._plan.directory / name, self._row.settings)
        server.wipe()
        try:
            if not self._row.starts_itself:
                server.start()
                if self._row.warmed and self._plan.warm_seconds > 0:
                    self._row.measure(server, self._plan.warming())
            return self._record(pair, name, self._row.measure(server, self._plan))
        finally:
            server.kill()
            server.wipe()

    def _record(self, pair: int, name: str, figures: dict[str, Any]) -> RunRecord:
        kept = {
            key: value for key, value in figures.items() if not key.endswith(("began_s", "ended_s"))
        }
        keys = [key for each in self._row.figures for key in (each.key, each.peer) if key]
        shown = ", ".join(f"{key} {kept[key]}" for key in keys)
        self._say(f"{self._row.name} {name} {pair + 1}: {shown}")
        return {"pair": pair, "system": name, "figures": kept}


def half_rate(runs: Sequence[RunRecord]) -> float:
    """Half of what the slower system did in the median, in entries per second.

    Raises:
        MeasurementError: one of them was not measured.
    """
    rates: dict[str, list[float]] = {OURS: [], THEIRS: []}
    for run in runs:
        rates.get(run["system"], []).append(run["figures"]["entries_per_s"])
    if not all(rates.values()):
        raise MeasurementError("the row that paces this one has to be measured before, for both")
    return min(map(statistics.median, rates.values())) / 2


def is_available(name: str) -> bool:
    """Whether that system can be run here; only pulsar-lite may be missing."""
    if name != "pulsar-lite" or "PULSAR_LITE" in os.environ:
        return True
    found = importlib.util.find_spec("pulsar_lite")
    if found is None or found.origin is None:
        return False
    os.environ["PULSAR_LITE"] = str(Path(found.origin).with_name("bin") / "pulsar-lite")
    return True
