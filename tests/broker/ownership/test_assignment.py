"""Bundles are spread over brokers, each decided once, whatever the reports know already."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_broker.ownership.assignment import Assignment
from magnetar_metadata.broker_addresses import BrokerAddresses, Urls
from magnetar_metadata.load_report import BundleLoad, LoadReport, Usage


def report_of(*bundles: str, rate: float = 0.0) -> LoadReport:
    loads = {bundle: BundleLoad(rate_in=rate) for bundle in bundles}
    return LoadReport(addresses=BrokerAddresses(urls=Urls()), bundles=loads)


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(0, 60))
def test_many_at_one_time_are_spread_evenly(brokers: int, bundles: int) -> None:
    reports = {f"b{n}:1": report_of() for n in range(brokers)}
    assignment = Assignment(1_000)
    chosen = Counter(assignment.choose(f"bundle {n}", reports, 0) for n in range(bundles))
    counts = [chosen[name] for name in reports]
    assert sum(counts) == bundles
    assert max(counts) - min(counts) <= 1


def test_the_one_with_fewer_bundles_gets_more() -> None:
    reports = {"a": report_of("x", "y"), "b": report_of("z")}
    assignment = Assignment(1_000)
    assert assignment.choose("n1", reports, 0) == "b"
    chosen = [assignment.choose(f"n{n}", reports, 0) for n in (2, 3)]
    assert sorted(map(str, chosen)) == ["a", "b"]


def test_of_equals_the_one_with_less_to_do() -> None:
    reports = {"a": report_of("x", rate=50_000), "b": report_of("y", rate=10)}
    for number in range(20):
        assert Assignment(1_000).choose(f"n{number}", reports, 0) == "b"


def test_messages_and_bytes_count_as_bundles_do() -> None:
    loads = {"x": BundleLoad(throughput_out=50_000_000.0)}
    busy = LoadReport(addresses=BrokerAddresses(urls=Urls()), bundles=loads)
    reports = {"a": busy, "b": report_of(*map(str, range(30)))}
    assert Assignment(1_000).choose("n", reports, 0) == "b"
    reports["b"] = report_of(*map(str, range(60)))
    assert Assignment(1_000).choose("n", reports, 0) == "a"


def test_who_is_overloaded_gets_nothing_while_another_is_not() -> None:
    def used(share: float, *bundles: str) -> LoadReport:
        return replace(report_of(*bundles), cpu=Usage(share * 200, 200.0))

    reports = {"a": used(0.86), "b": used(0.8, *map(str, range(20)))}
    for number in range(20):
        assert Assignment(1_000).choose(f"n{number}", reports, 0) == "b"
    reports["b"] = used(0.9, *map(str, range(20)))
    assert Assignment(1_000).choose("n", reports, 0) == "a"


def test_what_somebody_preferred_is_chosen() -> None:
    reports = {"a": report_of("n", "x"), "b": report_of(*map(str, range(20)))}
    assignment = Assignment(1_000)
    assignment.prefer("n", "b", 0)
    assert assignment.choose("n", reports, 1_000) == "b"
    assert assignment.choose("n", reports, 1_001) == "a"


def test_who_asks_twice_gets_one_answer_until_it_is_taken_up() -> None:
    reports = {"a": report_of(), "b": report_of()}
    assignment = Assignment(1_000)
    first = assignment.choose("n", reports, 0)
    assert first is not None
    reports[first] = report_of("others", "more")
    assert assignment.choose("n", reports, 999) == first
    reports[first] = report_of("others", "more", "n")
    assert assignment.choose("n", reports, 999) != first  # it was taken up, and left again


def test_a_choice_ends_with_its_time_with_its_broker_and_when_it_was_in_vain() -> None:
    reports = {"a": report_of(), "b": report_of()}
    for end in ("time", "broker", "refused"):
        assignment, now_ms = Assignment(1_000), 0
        first = assignment.choose("n", reports, 0)
        assert first is not None
        busy = {**reports, first: report_of("x", "y")}
        if end == "time":
            now_ms = 1_001
        elif end == "broker":
            assignment.choose(
                "other", {name: reports[name] for name in reports if name != first}, 0
            )
        else:
            assignment.refused("n")
        assert assignment.choose("n", busy, now_ms) != first


def test_no_broker() -> None:
    assert Assignment(1_000).choose("n", {}, 0) is None


def test_the_same_everywhere() -> None:
    reports = {"a": report_of(), "b": report_of(), "c": report_of()}
    backwards = dict(reversed(reports.items()))
    for number in range(20):
        name = f"bundle {number}"
        one, other = Assignment(1_000), Assignment(1_000)
        assert one.choose(name, reports, 0) == other.choose(name, backwards, 5)
