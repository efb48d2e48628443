"""Cells and their registry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_runtime.counters import Counters, Family, Histogram, Kind, Sample


def as_rows(counters: Counters) -> list[tuple[str, Kind, list[Sample]]]:
    return [(family.name, family.kind, list(family.samples)) for family in counters.families()]


def test_cells_are_read_when_asked_for() -> None:
    counters = Counters()
    red = counters.counter("balls_total", "Balls.", {"colour": "red"})
    blue = counters.counter("balls_total", "Balls.", {"colour": "blue"})
    room = [7]
    counters.gauge("room", "Room.", lambda: room[0])
    red.value += 2
    blue.value += 3
    room[0] = 8
    assert as_rows(counters) == [
        ("balls_total", Kind.COUNTER, [({"colour": "red"}, 2), ({"colour": "blue"}, 3)]),
        ("room", Kind.GAUGE, [({}, 8)]),
    ]


def test_sources_are_asked_at_each_walk() -> None:
    counters = Counters()
    topics = ["a"]
    counters.add_source(
        lambda: [Family("t", Kind.GAUGE, "T.", (Sample({"topic": name}, 1) for name in topics))]
    )
    assert len(as_rows(counters)[0][2]) == 1
    topics.append("b")
    assert len(as_rows(counters)[0][2]) == 2


def test_one_name_has_one_kind() -> None:
    counters = Counters()
    counters.counter("x_total", "X.")
    with pytest.raises(AssertionError):
        counters.gauge("x_total", "X.", lambda: 1)
    with pytest.raises(AssertionError):
        counters.counter("x", "Counters end in _total.")


def test_bounds_must_ascend() -> None:
    with pytest.raises(AssertionError):
        Histogram([2, 1])


@given(
    bounds=st.lists(st.integers(0, 100), unique=True).map(sorted),
    values=st.lists(st.integers(0, 120)),
)
def test_a_histogram_counts_as_a_plain_count_does(bounds: list[int], values: list[int]) -> None:
    histogram = Histogram(bounds)
    for value in values:
        histogram.observe(value)
    for index, bound in enumerate(bounds):
        below = sum(histogram.cells[: index + 1])
        assert below == sum(value <= bound for value in values)
    assert histogram.count == len(values)
    assert histogram.total == sum(values)
