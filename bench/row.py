"""What a row of the bench is: one measurement, the figures taken from it, their targets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

from bench.servers import ROOT, Server

STANDALONE: Final = "Against Apache Pulsar standalone"


@dataclass(frozen=True)
class Plan:
    """How long and how much one run measures.

    Attributes:
        seconds: Duration of each load.
        max_bytes: A load ends after that many payload bytes even before its time.
        warm_seconds: Duration of the load before, on the same server, that does not count.
        backlog_bytes: What a drain has to read.
        idle_seconds: How long a started server is left alone before its memory counts.
        directory: Where servers keep their data; on a real disk.
        phase: Part of all topic names, so that runs keep apart.
        rate_per_s: For a row that is `paced_by` another; else 0.
    """

    seconds: float = 60.0
    max_bytes: int = 8 << 30
    warm_seconds: float = 15.0
    backlog_bytes: int = 1_500_000_000
    idle_seconds: float = 5.0
    directory: Path = ROOT / "bench" / "out"
    phase: str = "run"
    rate_per_s: float = 0.0

    @classmethod
    def short(cls) -> Self:
        """A form that only shows that everything works."""
        return cls(
            seconds=1.0,
            max_bytes=64 << 20,
            warm_seconds=0.2,
            backlog_bytes=5_000_000,
            idle_seconds=0.2,
        )

    def warming(self) -> "Plan":
        """The load before the measured one."""
        return replace(
            self,
            seconds=self.warm_seconds,
            phase="warm",
        )

    def topic(self, name: str) -> str:
        """A topic of this phase."""
        return f"persistent://public/default/bench-{self.phase}-{name}"


@dataclass(frozen=True)
class Figure:
    """One number of a row's measurement that is compared.

    Attributes:
        key: Its name in the measurement.
        unit: For people.
        target: The ratio ours : theirs to reach: at least this where more is better, at most
            this where less is; None where there is none.
        less_is_better: Latencies and sizes.
        peer: Key of the figure in the same run that it is compared with; "" for the same key of
            the other system.
    """

    key: str
    unit: str
    target: float | None = None
    less_is_better: bool = False
    peer: str = ""

    def reached(self, ratio: float) -> bool | None:
        """Whether `ratio` meets the target, if there is one."""
        if self.target is None:
            return None
        return ratio <= self.target if self.less_is_better else ratio >= self.target


Measure = Callable[[Server, Plan], dict[str, Any]]
MakeServer = Callable[[Path, Mapping[str, str]], Server]


@dataclass(frozen=True)
class Row:
    """One line of the bench.

    Attributes:
        name: What `ROWS=` and results call it.
        title: What the table says.
        figures: What is compared.
        measure: Takes the figures on a server that runs, or starts it if `starts_itself`.
        settings: Configuration of the servers, the same for both.
        null_server: The row is also run against the null server, to show the loader's ceiling.
        orientation: The row has the further columns (Pulsar as shipped and others).
        warmed: A first run on the same server does not count.
        starts_itself: `measure` gets a server that was not started.
        systems: What is measured, by name, if it is not the standalone of both.
        paced_by: Name of a row; this one runs at half of what the slower system did there.
        section: Heading of the table that it belongs to.
        columns: Headings of ours and theirs; the same for all rows of a section.
    """

    name: str
    title: str
    figures: tuple[Figure, ...]
    measure: Measure
    settings: Mapping[str, str] = field(default_factory=dict)
    null_server: bool = False
    orientation: bool = False
    warmed: bool = True
    starts_itself: bool = False
    systems: Mapping[str, MakeServer] = field(default_factory=dict)
    paced_by: str = ""
    section: str = STANDALONE
    columns: tuple[str, str] = ("Magnetar", "Pulsar")
