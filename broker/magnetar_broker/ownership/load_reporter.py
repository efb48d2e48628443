"""What this broker tells the others of its load."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from magnetar_metadata.load_report import BundleLoad, LoadReport, Usage
from magnetar_runtime.host_usage import HostUsage

if TYPE_CHECKING:
    from magnetar_metadata.namespace_bundles import Bundle

    from magnetar_broker.ownership.cluster_ownership import ClusterOwnership
    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic import Topic

_USAGE_STEP: Final = 0.1
"""A change that is told (`loadBalancerReportUpdateThresholdPercentage`, 10)."""


class LoadReporter:
    """Sums up the topics that are loaded, by their bundles, beside what the machine has to do."""

    def __init__(
        self,
        service: BrokerService,
        ownership: ClusterOwnership,
        host_usage: Callable[[], HostUsage] = HostUsage,
    ) -> None:
        self._service = service
        self._ownership = ownership
        self._host_usage = host_usage
        self._started_ms = service.clock.wall_ms()

    def report(self) -> LoadReport:
        """As things are now."""
        config, host = self._service.config, self._host_usage()
        return LoadReport(
            addresses=config.addresses,
            bundles=self._loads(self._ownership.owned.bundles),
            cpu=Usage(host.cpu_percent, host.cpu_limit_percent),
            memory=Usage(host.memory_mib, host.memory_limit_mib),
            bandwidth_in=Usage(host.in_kbits, host.network_limit_kbits),
            bandwidth_out=Usage(host.out_kbits, host.network_limit_kbits),
            version=self._service.version,
            persistent_topics=config.persistent_topics,
            non_persistent_topics=config.non_persistent_topics,
            updated_ms=self._service.clock.wall_ms(),
            started_ms=self._started_ms,
        )

    def _loads(self, bundles: Iterable[Bundle]) -> dict[str, BundleLoad]:
        loads = {bundle: BundleLoad() for bundle in bundles}
        for topic in self._service.topics.loaded.values():
            bundle = self._service.bundle_maps.bundle_of(topic.name)
            if bundle is not None and bundle in loads:
                loads[bundle] = self._with(loads[bundle], topic)
        return {str(bundle): load for bundle, load in loads.items()}

    def _with(self, load: BundleLoad, topic: Topic) -> BundleLoad:
        sampler = self._service.sampler
        rate_in, throughput_in = sampler.meter_of(topic).rates[:2]
        consumers = [each for sub in topic.subscriptions.values() for each in sub.consumers]
        rates_out = [sampler.meter_of(consumer).rates[:2] for consumer in consumers]
        return BundleLoad(
            topics=load.topics + 1,
            producers=load.producers + len(topic.producers),
            consumers=load.consumers + len(consumers),
            rate_in=load.rate_in + rate_in,
            throughput_in=load.throughput_in + throughput_in,
            rate_out=load.rate_out + sum(rate for rate, _ in rates_out),
            throughput_out=load.throughput_out + sum(each for _, each in rates_out),
        )


def tells_the_same(one: LoadReport, other: LoadReport) -> bool:
    """Whether two reports differ in nothing that matters: a machine is never quite at rest."""
    near = abs(one.max_usage - other.max_usage) < _USAGE_STEP
    return near and _without_host(one) == _without_host(other)


def _without_host(report: LoadReport) -> LoadReport:
    none = Usage()
    return replace(
        report, updated_ms=0, cpu=none, memory=none, bandwidth_in=none, bandwidth_out=none
    )
