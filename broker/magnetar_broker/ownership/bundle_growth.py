"""Which bundles are too large and are to be split, as Pulsar's BundleSplitterTask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magnetar_metadata.load_report import BundleLoad, LoadReport

    from magnetar_broker.ownership.balance_options import SplitOptions


def is_too_large(load: BundleLoad, options: SplitOptions) -> bool:
    """Whether a bundle has more than one should; one of a single topic cannot be split."""
    return load.topics > 1 and (
        load.topics > options.max_topics
        or load.producers + load.consumers > options.max_sessions
        or load.rate_in + load.rate_out > options.max_rate
        or load.throughput > options.max_bytes_per_s
    )


def too_large(reports: Iterable[LoadReport], options: SplitOptions) -> list[str]:
    """The bundles that are too large, the largest first."""
    loads: dict[str, BundleLoad] = {}
    for report in reports:
        loads |= {
            bundle: load for bundle, load in report.bundles.items() if is_too_large(load, options)
        }
    return sorted(loads, key=lambda name: (-loads[name].topics, -loads[name].throughput, name))


def with_room(
    bundles: Iterable[str], counts: Mapping[str, int], options: SplitOptions
) -> list[str]:
    """Those of them that may be split, as long as their namespaces have room for one more.

    Args:
        counts: how many bundles each namespace has.
    """
    have = dict(counts)
    chosen = []
    for bundle in bundles:
        namespace = bundle.rpartition("/")[0]
        if have.get(namespace, options.max_bundles) < options.max_bundles:
            have[namespace] += 1
            chosen.append(bundle)
    return chosen
