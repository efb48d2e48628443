"""The keys of `broker.conf` for the balance of load."""

from pathlib import Path

import pytest
from magnetar_broker.ownership.balance_options import BalanceOptions
from magnetar_cli.cluster_options import cluster_options
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.conf import load
from magnetar_runtime.errors import ConfError
from magnetar_runtime.settings_service import BrokerServiceSettings

NEEDED = {"clusterName": "c", "metadataStoreUrl": "zk:h:1"}


def settings(**values: str) -> BrokerServiceSettings:
    return load(BrokerServiceSettings, {**NEEDED, **values})[0]


def test_the_defaults_are_those_of_the_options() -> None:
    assert cluster_options(settings(), SystemClock()).balance == BalanceOptions()


def test_values() -> None:
    given = settings(
        loadBalancerSheddingIntervalMinutes="2",
        loadBalancerBrokerThresholdShedderPercentage="25",
        loadBalancerNamespaceBundleMaxBandwidthMbytes="7",
        loadBalancerOverrideBrokerNicSpeedGbps="10",
    )
    options = cluster_options(given, SystemClock())
    assert options.balance.shed.interval_ms == 120_000
    assert options.balance.shed.threshold == 0.25
    assert options.balance.split.max_bytes_per_s == 7 << 20
    assert options.host_usage().cpu_limit_percent > 0


def test_the_files_of_another_host(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    stat = tmp_path / "proc/stat"
    stat.write_text("cpu 0 0 0 0 0 0 0 0\n")
    options = cluster_options(settings(loadBalancerHostRoot=str(tmp_path)), SystemClock())
    stat.write_text("cpu 30 0 0 70 0 0 0 0\n")
    usage = options.host_usage()
    assert usage.cpu_percent == pytest.approx(0.3 * usage.cpu_limit_percent)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("loadBalancerSheddingIntervalMinutes", "0"),
        ("loadBalancerHistoryResourcePercentage", "1.5"),
    ],
)
def test_what_makes_no_sense(key: str, value: str) -> None:
    with pytest.raises(ConfError, match=key):
        settings(**{key: value})
