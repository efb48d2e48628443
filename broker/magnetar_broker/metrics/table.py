"""Values of many things of one kind, row by row, and from them families, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from magnetar_runtime.counters import Family, Kind, Rows

Values = Sequence[int | float]


class Column(NamedTuple):
    """A value that each row has: the family that it belongs to."""

    name: str
    help: str
    kind: Kind = Kind.GAUGE
    labels: str = ""
    """More labels (as text, with a comma before): a family may have several columns."""


def place_of(columns: Sequence[Column], name: str) -> int:
    """Where the column of this name stands."""
    return [column.name for column in columns].index(name)


class Table:
    """One label text and one row of values for each thing."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self.labels: list[str] = []
        self.rows: list[Values] = []

    def add(self, labels: str, values: Values) -> None:
        """Args: `labels` have no braces, and `values` the order of the columns."""
        assert len(values) == len(self.columns)
        self.labels.append(labels)
        self.rows.append(values)

    def labels_of(self, column: Column) -> list[str]:
        """As they stand behind the name."""
        more = column.labels
        return [f"{{{labels}{more}}}" for labels in self.labels]


def families_of(tables: Sequence[Table]) -> Iterator[Family]:
    """All columns; those of one name are one family, whatever tables they are in."""
    places: dict[str, list[tuple[Table, int]]] = {}
    for table in tables:
        for index, column in enumerate(table.columns):
            places.setdefault(column.name, []).append((table, index))
    labels_of: dict[tuple[int, str], list[str]] = {}
    for name, found in places.items():
        labels: list[str] = []
        values: list[int | float] = []
        for table, index in found:
            column = table.columns[index]
            key = (id(table), column.labels)
            if key not in labels_of:
                labels_of[key] = table.labels_of(column)
            labels += labels_of[key]
            values += [row[index] for row in table.rows]
        table, index = found[0]
        column = table.columns[index]
        yield Family(name, column.kind, column.help, Rows(labels, values))
