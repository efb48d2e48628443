"""A broker that is busier than the other leaves bundles to it, and clients go on.

Brokers of one machine would report the same load. So each reads its processors' load from files of
its own (`loadBalancerHostRoot`), and only those are made up: reports, decision, unload and moves
are real.
"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.interop.cluster_load import TYPES, Flow, Load, check_all
from tests.interop.magnetar_broker import MagnetarBroker
from tests.interop.magnetar_cluster import MagnetarCluster
from tests.interop.official import Session, wait_until

pytestmark = [pytest.mark.interop, pytest.mark.official]

TOPICS: Final = 24
SHED_EVERY_S: Final = 3
AT_REST: Final = 0.1
BUSY: Final = 0.9
_TICKS_PER_S: Final = 10_000
_TICK_S: Final = 0.05


class Host(threading.Thread):
    """Processors that are as busy as the test says, as the kernel tells it."""

    def __init__(self, root: Path) -> None:
        super().__init__(daemon=True)
        self.busy = AT_REST
        self._path = root / "proc" / "stat"
        self._path.parent.mkdir(parents=True)
        self._ticks = [0.0, 0.0]  # busy, idle
        self._ended = threading.Event()
        self._write()

    def run(self) -> None:
        before_s = time.monotonic()
        while not self._ended.wait(_TICK_S):
            now_s = time.monotonic()
            ticks, before_s = (now_s - before_s) * _TICKS_PER_S, now_s
            self._ticks[0] += ticks * self.busy
            self._ticks[1] += ticks * (1 - self.busy)
            self._write()

    def _write(self) -> None:
        busy, idle = map(round, self._ticks)
        draft = self._path.with_suffix(".new")
        draft.write_text(f"cpu {busy} 0 0 {idle} 0 0 0 0 0 0\n")
        draft.replace(self._path)

    def end(self) -> None:
        self._ended.set()
        self.join()


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[list[Host]]:
    made = [Host(tmp_path / f"host-{number}") for number in range(2)]
    for each in made:
        each.start()
    yield made
    for each in made:
        each.end()


@pytest.fixture
def cluster(tmp_path: Path, hosts: list[Host]) -> Iterator[MagnetarCluster]:
    settings: dict[str, Any] = {
        "statsUpdateFrequencyInSecs": "1",
        "loadBalancerSheddingIntervalMinutes": str(SHED_EVERY_S / 60),
        "loadBalancerHistoryResourcePercentage": "0.5",
        "loadBalancerBundleUnloadMinThroughputThreshold": "0",
    }
    made = MagnetarCluster(tmp_path / "cluster", bookies=2, **settings)
    for number, broker in enumerate(made.brokers):
        broker.settings["loadBalancerHostRoot"] = str(tmp_path / f"host-{number}")
    with made:
        yield made


def topics_of(cluster: MagnetarCluster, topics: list[str], broker: MagnetarBroker) -> set[str]:
    """Those that a broker serves now."""
    asked = cluster.brokers[0]
    return {topic for topic in topics if cluster.owner_of(topic, asked) is broker}


def test_a_busy_broker_leaves_bundles_to_the_other(
    cluster: MagnetarCluster, hosts: list[Host]
) -> None:
    topics = [f"persistent://public/default/shed-{number}" for number in range(TOPICS)]

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
        busy, other = cluster.brokers
        before = topics_of(cluster, topics, busy)
        assert 0 < len(before) < TOPICS
        time.sleep(3 * SHED_EVERY_S)  # nobody is above the other
        assert topics_of(cluster, topics, busy) == before
        hosts[0].busy = BUSY
        began_s = time.monotonic()
        wait_until(lambda: topics_of(cluster, topics, busy) < before, 60)
        took_s = time.monotonic() - began_s
        for flow in flows:
            flow.begin_measuring()
        counts = [len(flow.acknowledged) for flow in flows]
        wait_until(
            lambda: all(len(f.acknowledged) > n + 20 for f, n in zip(flows, counts, strict=True)),
            60,
        )
        load.stop()
        sent = check_all(flows)
        gap_s = max(flow.longest_s for flow in flows)
        left = topics_of(cluster, topics, busy)
        print(
            f"{len(before - left)} of {len(before)} topics left the busy broker, the first after "
            f"{took_s:.1f} s; {sent} messages, at most {gap_s:.2f} s between receipts"
        )
        assert left  # a broker keeps what would make the other as busy
        assert before - left <= topics_of(cluster, topics, other)
