"""Counter cells: plain integers on the hot path, read when somebody scrapes.

The hot path holds a cell and does `cell.value += 1`. The registry knows names, help and labels,
and is asked only by `magnetar_runtime.metrics`.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

LATENCY_BOUNDS_US = (
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 1_000_000,
)  # fmt: skip
"""Bucket bounds for latencies, in microseconds."""


class Counter:
    """A number that only grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Histogram:
    """Counts of values by fixed upper bounds; the last cell counts what lies above all bounds."""

    __slots__ = ("bounds", "cells", "total")

    def __init__(self, bounds: Sequence[int]) -> None:
        assert list(bounds) == sorted(set(bounds)), "bounds must ascend"
        self.bounds = tuple(bounds)
        self.cells = [0] * (len(self.bounds) + 1)
        self.total = 0

    def observe(self, value: int) -> None:
        """Count one value; a value equal to a bound belongs below it."""
        self.cells[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        return sum(self.cells)


class Kind(Enum):
    """What a family of samples is, by its Prometheus name."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Sample(NamedTuple):
    """One value with its labels."""

    labels: Mapping[str, str]
    value: int | float | Histogram


class Rows(NamedTuple):
    """Many samples in two columns: labels as text (`metrics.label_text`) and values."""

    labels: Sequence[str]
    values: Sequence[int | float]


class Family(NamedTuple):
    """All samples of one name."""

    name: str
    kind: Kind
    help: str
    samples: Iterable[Sample] | Rows


Source = Callable[[], Iterable[Family | None]]
"""Gives families; None where it has worked for a while and others may have their turn."""
_NO_LABELS: Mapping[str, str] = {}


class Counters:
    """The registry of one process or one test: no global state.

    Cells that live as long as the process are made here. What comes and goes (topics,
    subscriptions) keeps its cells itself, and a source walks over them at scrape.
    """

    def __init__(self) -> None:
        self._families: dict[str, tuple[Kind, str, list[Sample | Callable[[], Sample]]]] = {}
        self._sources: list[Source] = []

    def counter(self, name: str, help: str, labels: Mapping[str, str] = _NO_LABELS) -> Counter:
        """A new counter; its name ends in `_total`."""
        assert name.endswith("_total"), name
        cell = Counter()
        self._add(name, Kind.COUNTER, help, lambda: Sample(labels, cell.value))
        return cell

    def histogram(
        self,
        name: str,
        help: str,
        bounds: Sequence[int] = LATENCY_BOUNDS_US,
        labels: Mapping[str, str] = _NO_LABELS,
    ) -> Histogram:
        """A new histogram; its name ends in the unit of its bounds."""
        cell = Histogram(bounds)
        self._add(name, Kind.HISTOGRAM, help, Sample(labels, cell))
        return cell

    def gauge(
        self,
        name: str,
        help: str,
        read: Callable[[], int | float],
        labels: Mapping[str, str] = _NO_LABELS,
    ) -> None:
        """A value that is asked for at scrape."""
        self._add(name, Kind.GAUGE, help, lambda: Sample(labels, read()))

    def add_source(self, source: Source) -> None:
        """Ask `source` for further families at each scrape."""
        self._sources.append(source)

    def families(self) -> Iterator[Family]:
        """All families, lazily: samples are read as they are walked."""
        return (family for family in self.steps() if family is not None)

    def steps(self) -> Iterator[Family | None]:
        """`families`, with the places between where others may have their turn."""
        for name, (kind, help, entries) in self._families.items():
            samples = (entry if isinstance(entry, Sample) else entry() for entry in entries)
            yield Family(name, kind, help, samples)
        for source in self._sources:
            yield from source()

    def _add(self, name: str, kind: Kind, help: str, entry: Sample | Callable[[], Sample]) -> None:
        known_kind, _, entries = self._families.setdefault(name, (kind, help, []))
        assert known_kind is kind, f"{name} is a {known_kind.value} already"
        entries.append(entry)
