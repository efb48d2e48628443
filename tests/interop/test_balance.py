"""Bundles with too many messages are split by the leader, and clients go on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from bench.servers import get
from tests.interop.cluster_load import TYPES, Flow, Load, check_all
from tests.interop.magnetar_cluster import MagnetarCluster, topics_loaded
from tests.interop.official import Session, wait_until

pytestmark = [pytest.mark.interop, pytest.mark.official]

TOPICS: Final = 24
MOST_MESSAGES_PER_S: Final = 300
BUNDLES: Final = 4
"""Of a new namespace."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[MagnetarCluster]:
    settings: dict[str, Any] = {
        "loadBalancerNamespaceBundleMaxMsgRate": str(MOST_MESSAGES_PER_S),
        "statsUpdateFrequencyInSecs": "1",
    }
    with MagnetarCluster(tmp_path, bookies=2, **settings) as running:
        yield running


def bundles(cluster: MagnetarCluster) -> int:
    status, body = get(cluster.brokers[0].web_port, "/admin/v2/namespaces/public/default/bundles")
    assert status == 200, (status, body)
    count: int = json.loads(body)["numBundles"]
    return count


def test_bundles_are_split_under_load(cluster: MagnetarCluster) -> None:
    class Everybody:
        service_url = cluster.service_url

    everybody: Any = Everybody()
    with Session(everybody, quiet=True) as session:
        flows = [
            Flow(
                session.client,
                f"persistent://public/default/grown-{number}",
                TYPES[number % len(TYPES)],
            )
            for number in range(TOPICS)
        ]
        assert bundles(cluster) == BUNDLES
        load = Load(flows)
        load.start()
        # 2,400 messages per second, in and out, if the client sends as it will.
        wait_until(lambda: bundles(cluster) > BUNDLES + 1, 60)
        wait_until(lambda: sum(map(topics_loaded, cluster.brokers)) == TOPICS, 60)
        load.stop()
        sent = check_all(flows)
        gap_s = max(flow.longest_s for flow in flows)
        print(f"{bundles(cluster)} bundles, {sent} messages, {gap_s:.2f} s between receipts")
