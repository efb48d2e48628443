"""kill -9 of brokers and bookies of a cluster under load, one after the other.

CLUSTER_KILL_CYCLES says how many (3), CLUSTER_KILL_SEED who (drawn).
"""

import asyncio
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from bench.servers import Server
from tests.interop.cluster_load import TYPES, Flow, Load, check_all
from tests.interop.lookups import all_served
from tests.interop.magnetar_broker import MagnetarBroker
from tests.interop.magnetar_cluster import SESSION_TIMEOUT_MS, MagnetarCluster
from tests.interop.official import Session

pytestmark = [pytest.mark.interop, pytest.mark.official, pytest.mark.alone]

CYCLES = int(os.environ.get("CLUSTER_KILL_CYCLES", "3"))
SEED = int(os.environ.get("CLUSTER_KILL_SEED", str(random.randrange(1_000_000))))
TOPICS: Final = 200
ACTIVE: Final = 20
TAKE_OVER_S: Final = SESSION_TIMEOUT_MS / 1000 + 3
SLACK_S: Final = 20.0
"""What a busy machine may take longer; the figures themselves are printed."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[MagnetarCluster]:
    with MagnetarCluster(tmp_path) as running:
        yield running


def time_until_served(cluster: MagnetarCluster, topics: list[str]) -> float:
    """Wait until a broker that runs has each of the topics; how long that took, in seconds."""
    began_s = time.monotonic()
    running = [broker for broker in cluster.brokers if broker.process is not None]

    async def served() -> None:
        async with asyncio.timeout(TAKE_OVER_S + SLACK_S):
            await all_served(running, topics)

    asyncio.run(served())
    return time.monotonic() - began_s


def test_nothing_acknowledged_is_lost(cluster: MagnetarCluster) -> None:
    rng = random.Random(SEED)
    topics = [f"persistent://public/default/loop-{number}" for number in range(TOPICS)]

    class Everybody:
        service_url = cluster.service_url

    everybody: Any = Everybody()
    with Session(everybody, quiet=True) as session:
        flows = [
            Flow(session.client, topic, TYPES[number % len(TYPES)])
            for number, topic in enumerate(topics[:ACTIVE])
        ]
        for topic in topics[ACTIVE:]:
            session.client.create_producer(topic).close()
        load = Load(flows)
        load.start()
        longest_s = 0.0
        for cycle in range(CYCLES):
            time.sleep(1)
            victim: Server = rng.choice(rng.choice([cluster.brokers, cluster.bookies]))
            victim.kill()
            took_s = time_until_served(cluster, topics)
            if isinstance(victim, MagnetarBroker):
                longest_s = max(longest_s, took_s)
            print(f"seed {SEED}, cycle {cycle}: {victim.name} {victim.port}: {took_s:.2f} s")
            victim.start(60)
        load.stop()
        sent = check_all(flows)
        print(f"{sent} messages; all topics served again after {longest_s:.2f} s at the most")
        gap_s = max(flow.longest_s for flow in flows)
        print(f"longest time between receipts of a topic {gap_s:.2f} s")
        assert longest_s < TAKE_OVER_S + SLACK_S
