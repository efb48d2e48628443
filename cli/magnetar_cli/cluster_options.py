"""How a broker takes part in its cluster, as it is configured."""

from pathlib import Path

from magnetar_broker.ownership.balance_options import BalanceOptions, ShedOptions, SplitOptions
from magnetar_broker.ownership.cluster_member import ClusterOptions
from magnetar_runtime.clock import Clock
from magnetar_runtime.host_usage import HostMeter
from magnetar_runtime.limits import MIB
from magnetar_runtime.network import SystemNetwork
from magnetar_runtime.settings_service import BrokerServiceSettings


def cluster_options(settings: BrokerServiceSettings, clock: Clock) -> ClusterOptions:
    """The part of the settings that other brokers notice."""
    gbps = settings.interface_gbps
    interface_mbits = None if gbps is None else gbps * 1000
    meter = HostMeter(clock, Path(settings.host_root), interface_mbits)
    return ClusterOptions(
        session_timeout_ms=settings.metadata_session_timeout_ms,
        report_interval_ms=settings.load_report_min_interval_ms,
        report_anyway_ms=settings.load_report_max_interval_minutes * 60_000,
        balance=BalanceOptions(
            enabled=settings.load_balancer,
            overloaded=settings.overloaded_percent / 100,
            shed=_shed_options(settings),
            split=_split_options(settings),
        ),
        host_usage=meter.look,
        network=SystemNetwork(),
    )


def _shed_options(settings: BrokerServiceSettings) -> ShedOptions:
    return ShedOptions(
        enabled=settings.shedding,
        interval_ms=round(settings.shedding_interval_minutes * 60_000),
        grace_ms=round(settings.shedding_grace_minutes * 60_000),
        threshold=settings.shedding_threshold_percent / 100,
        history_share=settings.shedding_history_share,
        least_bytes_per_s=settings.shedding_least_mb * MIB,
        cpu_weight=settings.cpu_weight,
        in_weight=settings.bandwidth_in_weight,
        out_weight=settings.bandwidth_out_weight,
    )


def _split_options(settings: BrokerServiceSettings) -> SplitOptions:
    return SplitOptions(
        enabled=settings.bundle_split,
        unload=settings.bundle_split_unload,
        max_topics=settings.bundle_max_topics,
        max_sessions=settings.bundle_max_sessions,
        max_rate=float(settings.bundle_max_rate),
        max_bytes_per_s=float(settings.bundle_max_mb * MIB),
        max_bundles=settings.namespace_max_bundles,
    )
