"""Each broker and each bookie is stopped and started again under load, one after the other.

Bookies have auto-recovery, so that the ledgers of one that is away are copied meanwhile. The one
ZooKeeper server stays: without it nothing changes hands (test_cluster_outage.py is about that).
ROLLING_RESTARTS says how often all of them are restarted (1).
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from bench.servers import Server
from tests.interop.cluster_load import TYPES, Flow, Load, check_all
from tests.interop.magnetar_cluster import MagnetarCluster
from tests.interop.official import Session, wait_until

pytestmark = [pytest.mark.interop, pytest.mark.official]

ROUNDS = int(os.environ.get("ROLLING_RESTARTS", "1"))
ACTIVE: Final = 20
BEFORE_NEXT_S: Final = 1.0
SLACK_S: Final = 15.0
"""What a busy machine may take longer than the 2 s that are wanted; the figures are printed."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[MagnetarCluster]:
    with MagnetarCluster(tmp_path, auto_recovery=True) as running:
        yield running


def gap_of_restart(server: Server, flows: list[Flow]) -> float:
    """Stop and start a server in good order; the longest time between two receipts of a topic."""
    for flow in flows:
        flow.begin_measuring()
    assert server.stop() == 0
    server.start(60)
    before = [len(flow.acknowledged) for flow in flows]

    def all_go_on() -> bool:
        return all(len(f.acknowledged) > b + 20 for f, b in zip(flows, before, strict=True))

    time.sleep(BEFORE_NEXT_S)
    wait_until(all_go_on, 60)
    return max(flow.longest_s for flow in flows)


def test_no_client_notices(cluster: MagnetarCluster) -> None:
    class Everybody:
        service_url = cluster.service_url

    everybody: Any = Everybody()
    with Session(everybody, quiet=True) as session:
        flows = [
            Flow(
                session.client,
                f"persistent://public/default/rolling-{number}",
                TYPES[number % len(TYPES)],
            )
            for number in range(ACTIVE)
        ]
        load = Load(flows)
        load.start()
        time.sleep(2)
        longest_s = 0.0
        for _ in range(ROUNDS):
            for server in (*cluster.bookies, *cluster.brokers):
                gap_s = gap_of_restart(server, flows)
                longest_s = max(longest_s, gap_s)
                print(f"{server.name} {server.port}: {gap_s:.2f} s between receipts at the most")
        load.stop()
        sent = check_all(flows)
        print(f"{sent} messages, none lost; at most {longest_s:.2f} s between receipts of a topic")
        assert longest_s < 2.0 + SLACK_S
