"""ZooKeeper away from a cluster under load: who is connected goes on, and nothing is lost.

CLUSTER_OUTAGE_SECONDS says for how long (15, five times the session's time-out).
"""

import json
import os
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from bench.servers import get
from tests.interop.cluster_load import TYPES, Flow, Load, check_all
from tests.interop.magnetar_cluster import SESSION_TIMEOUT_MS, MagnetarCluster, go_on, pause
from tests.interop.official import Session, wait_until

pytestmark = [pytest.mark.interop, pytest.mark.official]

OUTAGE_S = int(os.environ.get("CLUSTER_OUTAGE_SECONDS", "15"))
ACTIVE: Final = 12
ENTRIES_PER_LEDGER: Final = 100
SLACK_S: Final = 8.0
"""What a busy machine may hold up a receipt; the figures themselves are printed."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MagnetarCluster]:
    settings: dict[str, Any] = {
        "managedLedgerMaxEntriesPerLedger": str(ENTRIES_PER_LEDGER),
        "managedLedgerMinLedgerRolloverTimeMinutes": "0",
        "defaultRetentionTimeInMinutes": "-1",
        "defaultRetentionSizeInMB": "-1",
    }
    with MagnetarCluster(tmp_path_factory.mktemp("outage"), **settings) as running:
        yield running


def ledgers_of(cluster: MagnetarCluster, topic: str) -> list[int]:
    """Entries of the ledgers of a topic, the open one with what its owner knows."""
    owner = cluster.owner_of(topic, cluster.brokers[0])
    assert owner is not None
    path = f"/admin/v2/{topic.replace('://', '/')}/internalStats"
    status, body = get(owner.web_port, path)
    assert status == 200, (status, body)
    return [ledger["entries"] for ledger in json.loads(body)["ledgers"]]


def test_who_is_connected_goes_on(cluster: MagnetarCluster) -> None:
    topics = [f"persistent://public/default/outage-{number}" for number in range(ACTIVE)]

    class Everybody:
        service_url = cluster.service_url

    everybody: Any = Everybody()
    with Session(everybody, quiet=True) as session:
        flows = [
            Flow(session.client, topic, TYPES[number % len(TYPES)])
            for number, topic in enumerate(topics)
        ]
        load = Load(flows)
        load.start()
        wait_until(lambda: all(len(flow.came) > ENTRIES_PER_LEDGER * 1.5 for flow in flows), 60)
        cluster.zookeeper.kill()
        for flow in flows:
            flow.begin_measuring()
        before = [len(flow.acknowledged) for flow in flows], [len(flow.came) for flow in flows]
        time.sleep(OUTAGE_S)
        rounds = zip(flows, *before, strict=True)
        during = [(len(f.acknowledged) - sent, len(f.came) - came) for f, sent, came in rounds]
        longest_s = max(flow.longest_s for flow in flows)
        cluster.zookeeper.start()
        print(
            f"{OUTAGE_S} s without ZooKeeper, sessions of {SESSION_TIMEOUT_MS} ms: "
            f"{sum(sent for sent, _ in during)} messages stored, "
            f"{sum(came for _, came in during)} delivered, "
            f"longest time between receipts of a topic {longest_s:.2f} s"
        )
        # Each topic needed several new ledgers meanwhile, and there were none to be had.
        assert min(sent for sent, _ in during) > 2 * ENTRIES_PER_LEDGER
        assert min(came for _, came in during) > 2 * ENTRIES_PER_LEDGER
        assert longest_s < SLACK_S
        fresh = "persistent://public/default/outage-fresh"
        session.producer(fresh, batched=False).send(b"x")  # metadata is there again
        time.sleep(3)
        load.stop()
        sent = check_all(flows)
        print(f"{sent} messages in all, none lost")
        for topic in topics:
            entries = ledgers_of(cluster, topic)
            assert max(entries) > 2 * ENTRIES_PER_LEDGER  # the one that went on
            assert entries[-1] <= ENTRIES_PER_LEDGER  # the limit holds again


def test_all_sessions_end_when_it_is_back(cluster: MagnetarCluster) -> None:
    """Scenario: the brokers come to it too late, each of them, and nobody else has their topics."""
    topics = [f"persistent://public/default/late-{number}" for number in range(ACTIVE)]

    class Everybody:
        service_url = cluster.service_url

    everybody: Any = Everybody()
    with Session(everybody, quiet=True) as session:
        flows = [
            Flow(session.client, topic, TYPES[number % len(TYPES)])
            for number, topic in enumerate(topics)
        ]
        load = Load(flows)
        load.start()
        wait_until(lambda: all(len(flow.came) > 50 for flow in flows), 60)
        cluster.zookeeper.kill()
        time.sleep(1)
        for broker in cluster.brokers:
            pause(broker)
        cluster.zookeeper.start()
        time.sleep(2 * SESSION_TIMEOUT_MS / 1000)
        for broker in cluster.brokers:
            go_on(broker)
        for flow in flows:
            flow.begin_measuring()
        before = [len(flow.acknowledged) for flow in flows]

        def standing() -> list[str]:
            rounds = zip(flows, before, strict=True)
            return [flow.topic for flow, sent in rounds if len(flow.acknowledged) <= sent + 20]

        try:
            wait_until(lambda: not standing(), 60)
        except AssertionError as error:
            error.add_note(f"{standing()} do not go on\n{cluster.told()}")
            raise
        longest_s = max(flow.longest_s for flow in flows)
        load.stop()
        sent = check_all(flows)
        print(f"sessions ended: {longest_s:.2f} s until all go on; {sent} messages, none lost")
        assert all("has ended" in broker.log_path.read_text() for broker in cluster.brokers)
        owners = {cluster.owner_of(topic, cluster.brokers[0]) for topic in topics}
        assert owners <= set(cluster.brokers)
