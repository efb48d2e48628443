"""Bundles that are too large, and room for what comes of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_broker.ownership.balance_options import SplitOptions
from magnetar_broker.ownership.bundle_growth import is_too_large, too_large, with_room
from magnetar_metadata.load_report import BundleLoad

from tests.broker.ownership.reports import bundle, report_of

OPTIONS = SplitOptions()
SMALL = BundleLoad(topics=2)


@pytest.mark.parametrize(
    ("at_limit", "above"),
    [
        ({"topics": 1_000}, {"topics": 1_001}),
        ({"producers": 600, "consumers": 400}, {"producers": 600, "consumers": 401}),
        ({"rate_in": 10_000.0, "rate_out": 20_000.0}, {"rate_in": 10_000.0, "rate_out": 20_001.0}),
        ({"throughput_in": 1048576e2}, {"throughput_in": 1048576e2, "throughput_out": 1.0}),
    ],
)
def test_limits(at_limit: dict[str, float], above: dict[str, float]) -> None:
    assert not is_too_large(replace(SMALL, **at_limit), OPTIONS)  # type: ignore[arg-type]
    large = replace(SMALL, **above)  # type: ignore[arg-type]
    assert is_too_large(large, OPTIONS)
    assert not is_too_large(replace(large, topics=1), OPTIONS) or "topics" in above


def test_one_topic_cannot_be_split() -> None:
    assert not is_too_large(BundleLoad(topics=1, rate_in=1e9), OPTIONS)


def test_the_largest_first() -> None:
    sizes = {bundle(0): 1_001, bundle(1): 5_000, bundle(2): 10}
    reports = [
        replace(report_of(0.1, {}), bundles={name: BundleLoad(topics=topics)})
        for name, topics in sizes.items()
    ]
    assert too_large(reports, OPTIONS) == [bundle(1), bundle(0)]


names = st.lists(
    st.builds(bundle, st.integers(0, 200), st.sampled_from(["t/a", "t/b", "t/gone"])), unique=True
)


@given(names, st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))
def test_no_namespace_gets_more_than_it_may(bundles: list[str], a: int, b: int, most: int) -> None:
    counts = {"t/a": a, "t/b": b}
    chosen = with_room(bundles, counts, SplitOptions(max_bundles=most))
    for namespace, count in counts.items():
        of_it = [each for each in bundles if each.startswith(namespace)]
        taken = [each for each in chosen if each.startswith(namespace)]
        assert taken == of_it[: max(0, most - count)]
    assert not [each for each in chosen if each.startswith("t/gone")]
