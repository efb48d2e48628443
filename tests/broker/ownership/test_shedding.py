"""What is moved helps: never to a broker that would have more to do than the one it came from."""

from collections.abc import Mapping

from hypothesis import example, given
from hypothesis import strategies as st
from magnetar_broker.ownership.balance_options import ShedOptions
from magnetar_broker.ownership.shedding import Move, Shedding
from magnetar_metadata.load_report import LoadReport

from tests.broker.ownership.reports import MIB, bundle, report_of

OPTIONS = ShedOptions(least_bytes_per_s=1.0)

usages = st.floats(0, 1).map(lambda each: round(each, 3))
throughputs = st.lists(st.integers(0, 50).map(lambda each: each * MIB), max_size=8)


@st.composite
def clusters(draw: st.DrawFn) -> dict[str, LoadReport]:
    reports: dict[str, LoadReport] = {}
    number = 0
    for index in range(draw(st.integers(0, 6))):
        loads = draw(throughputs)
        named = {bundle(number + at): load for at, load in enumerate(loads)}
        number += len(loads)
        reports[f"broker-{index}:1"] = report_of(draw(usages), named)
    return reports


def usages_after(reports: Mapping[str, LoadReport], moves: list[Move]) -> dict[str, float]:
    """A bundle takes its part of the bytes of the usage along."""
    after = {name: report.max_usage for name, report in reports.items()}
    for move in moves:
        source = reports[move.source]
        part = source.bundles[move.bundle].throughput / source.throughput * source.max_usage
        after[move.source] -= part
        after[move.target] += part
    return after


@given(clusters())
@example({"a:1": report_of(0.98, {bundle(0): 49 * MIB}), "b:1": report_of(0.0, {})})
def test_whatever_is_moved_helps(reports: dict[str, LoadReport]) -> None:
    moves = Shedding(OPTIONS).look(reports, 0)
    before = {name: report.max_usage for name, report in reports.items()}
    assert len({move.bundle for move in moves}) == len(moves)
    for move in moves:
        average = sum(before.values()) / len(before)
        assert move.bundle in reports[move.source].bundles
        assert before[move.source] >= average + OPTIONS.threshold - 1e-9
        assert move.target != move.source
    if moves:
        after = usages_after(reports, moves)
        assert max(after.values()) <= max(before.values()) + 1e-9
        assert sum(each**2 for each in after.values()) < sum(each**2 for each in before.values())


@given(clusters())
def test_what_was_moved_stays_for_a_while(reports: dict[str, LoadReport]) -> None:
    shedding = Shedding(OPTIONS)
    moved = {move.bundle for move in shedding.look(reports, 0)}
    again = {move.bundle for move in shedding.look(reports, OPTIONS.grace_ms - 1)}
    assert not moved & again
    late = Shedding(OPTIONS)
    late.look(reports, 0)
    # After that time it is as if nothing had been moved, when the reports say the same.
    assert {m.bundle for m in late.look(reports, OPTIONS.grace_ms + 1)} == moved


@given(clusters(), usages)
def test_who_are_equal_keep_what_they_have(reports: dict[str, LoadReport], usage: float) -> None:
    equal = {
        name: report_of(usage, {key: load.throughput for key, load in each.bundles.items()})
        for name, each in reports.items()
    }
    assert Shedding(OPTIONS).look(equal, 0) == []


@given(clusters())
def test_little_is_not_moved(reports: dict[str, LoadReport]) -> None:
    for move in Shedding(ShedOptions(least_bytes_per_s=100 * MIB)).look(reports, 0):
        assert reports[move.source].throughput >= 100 * MIB


def test_the_busiest_bundles_go_until_it_is_below_the_threshold() -> None:
    loads = {bundle(n): (n + 1) * 10 * MIB for n in range(4)}  # 100 MiB/s
    reports = {"a": report_of(0.8, loads), "b": report_of(0.2, {bundle(9): 10 * MIB})}
    # 0.8 - 0.5 - 0.1 + 0.05 = a quarter of its bytes: the largest bundle has 40 %.
    assert Shedding(ShedOptions()).look(reports, 0) == [Move(bundle(3), "a", "b")]


def test_a_broker_that_is_busy_by_one_bundle_keeps_it() -> None:
    reports = {"a": report_of(0.9, {bundle(0): 90 * MIB}), "b": report_of(0.1, {})}
    assert Shedding(ShedOptions()).look(reports, 0) == []
    two = {bundle(0): 90 * MIB, bundle(1): 10 * MIB}
    reports["a"] = report_of(0.9, two)
    assert [move.bundle for move in Shedding(ShedOptions()).look(reports, 0)] == [bundle(1)]


def test_a_short_peak_moves_nothing() -> None:
    loads = {bundle(0): 50 * MIB, bundle(1): 50 * MIB}
    calm = {"a": report_of(0.3, loads), "b": report_of(0.3, {})}
    peak = {**calm, "a": report_of(0.9, loads)}
    shedding = Shedding(ShedOptions())
    assert shedding.look(calm, 0) == []
    assert shedding.look(peak, 1) == []
    rounds = next(n for n in range(2, 100) if shedding.look(peak, n))
    assert rounds > 3


def test_what_failed_is_tried_again() -> None:
    loads = {bundle(0): 50 * MIB, bundle(1): 50 * MIB}
    reports = {"a": report_of(0.8, loads), "b": report_of(0.1, {})}
    shedding = Shedding(ShedOptions())
    (move,) = shedding.look(reports, 0)
    shedding.failed(move)
    assert shedding.look(reports, 1) == [move]
