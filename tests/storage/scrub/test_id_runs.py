"""Runs of ids are sets of ids."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from magnetar_storage.location_index import runs
from magnetar_storage.scrub.id_runs import (
    GrowingRuns,
    IdRun,
    count_ids,
    intersect,
    split,
    subtract,
)

IDS = st.sets(st.integers(0, 40))


def runs_of(ids: set[int]) -> list[IdRun]:
    return list(runs(sorted(ids))) if ids else []


def ids_of(found: Iterable[IdRun]) -> list[int]:
    return [each for first, last in found for each in range(first, last + 1)]


@given(IDS, IDS)
def test_they_are_sets(some: set[int], others: set[int]) -> None:
    mine, theirs = runs_of(some), runs_of(others)
    assert ids_of(subtract(mine, theirs)) == sorted(some - others)
    assert ids_of(intersect(mine, theirs)) == sorted(some & others)
    assert count_ids(mine) == len(some)


@given(st.integers(0, 40), st.integers(0, 40), IDS)
def test_a_run_is_split_at_the_ends_of_others(first: int, length: int, others: set[int]) -> None:
    run = (first, first + length)
    pieces = list(split(run, runs_of(others)))
    assert ids_of((begin, end) for begin, end, _ in pieces) == ids_of([run])
    inside = ids_of((begin, end) for begin, end, theirs in pieces if theirs)
    assert inside == sorted(others.intersection(ids_of([run])))


@given(st.lists(st.integers(0, 40)))
def test_runs_grow_at_their_end_and_never_overlap(ids: list[int]) -> None:
    growing = GrowingRuns()
    for each in sorted(ids):
        growing.add(each, each)
    assert growing.runs == runs_of(set(ids))
    growing.add(3, 5)  # below the end: passed over
    assert growing.runs == runs_of(set(ids)) or max(ids, default=-1) < 5
