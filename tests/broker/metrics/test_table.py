"""Columns of tables as families."""

from magnetar_broker.metrics.table import Column, Table, families_of, place_of
from magnetar_runtime.counters import Counters, Kind
from magnetar_runtime.metrics import text_pieces


def test_columns_of_one_name_are_one_family_over_tables() -> None:
    coarse = Table([Column("a", "A."), Column("both", "Both.", Kind.COUNTER)])
    fine = Table([Column("both", "Both.", Kind.COUNTER), Column("both", "", labels=',w="2"')])
    coarse.add('t="x"', (1, 2))
    coarse.add('t="y"', (3, 4))
    fine.add('t="x",s="z"', (5, 6))
    counters = Counters()
    counters.add_source(lambda: families_of([coarse, fine]))
    assert "".join(text_pieces(counters)).splitlines() == [
        "# HELP a A.",
        "# TYPE a gauge",
        'a{t="x"} 1',
        'a{t="y"} 3',
        "# HELP both Both.",
        "# TYPE both counter",
        'both{t="x"} 2',
        'both{t="y"} 4',
        'both{t="x",s="z"} 5',
        'both{t="x",s="z",w="2"} 6',
    ]
    assert place_of(coarse.columns, "both") == 1
