"""kill -9 of brokers and bookies of a cluster under load, one after the other.

CLUSTER_KILL_CYCLES says how many (3), CLUSTER_KILL_SEED who (drawn).
"""

import os
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pulsar
import pytest

from bench.servers import Server
from tests.interop.magnetar_broker import MagnetarBroker
from tests.interop.magnetar_cluster import SESSION_TIMEOUT_MS, MagnetarCluster
from tests.interop.official import Session, wait_until

pytestmark = [pytest.mark.interop, pytest.mark.official]

CYCLES = int(os.environ.get("CLUSTER_KILL_CYCLES", "3"))
SEED = int(os.environ.get("CLUSTER_KILL_SEED", str(random.randrange(1_000_000))))
TOPICS: Final = 200
ACTIVE: Final = 20
KEYS: Final = 5
TYPES: Final = (
    pulsar.ConsumerType.Exclusive,
    pulsar.ConsumerType.Failover,
    pulsar.ConsumerType.Shared,
    pulsar.ConsumerType.KeyShared,
)
TAKE_OVER_S: Final = SESSION_TIMEOUT_MS / 1000 + 3
SLACK_S: Final = 20.0
"""What a busy machine may take longer; the figures themselves are printed."""
CATCH_UP_S: Final = 120.0
"""Clients that were refused come again after a back-off of up to a minute."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[MagnetarCluster]:
    with MagnetarCluster(tmp_path) as running:
        yield running


class Flow:
    """One topic with a producer that sends without an end, and a consumer of one type."""

    def __init__(self, client: pulsar.Client, topic: str, kind: pulsar.ConsumerType) -> None:
        self.topic = topic
        self.kind = kind
        self.sent = 0
        self.acknowledged: set[int] = set()
        self.failures: list[Any] = []
        self.came: list[int] = []
        self._settled = 0
        self._consumer = client.subscribe(
            topic,
            "sub",
            consumer_type=kind,
            initial_position=pulsar.InitialPosition.Earliest,
            message_listener=self._heard,
        )
        self._producer = client.create_producer(
            topic,
            send_timeout_millis=0,
            block_if_queue_full=True,
            max_pending_messages=200,
            batching_enabled=False,
        )

    def send(self) -> None:
        number, self.sent = self.sent, self.sent + 1
        key = f"key-{number % KEYS}"

        def ended(result: Any, _: Any) -> None:
            self._settled += 1
            if result == pulsar.Result.Ok:
                self.acknowledged.add(number)
            else:
                self.failures.append(result)

        self._producer.send_async(b"%d" % number, ended, partition_key=key)

    def _heard(self, consumer: pulsar.Consumer, message: pulsar.Message) -> None:
        self.came.append(int(message.data()))
        consumer.acknowledge(message)

    @property
    def settled(self) -> bool:
        return self._settled == self.sent

    @property
    def has_all(self) -> bool:
        return self.acknowledged <= set(self.came)

    def check(self) -> None:
        assert self.failures == [], self.topic
        missing = self.acknowledged - set(self.came)
        assert not missing, f"{self.topic}: acknowledged and lost: {sorted(missing)[:10]}"
        firsts = list(dict.fromkeys(self.came))
        if self.kind in (pulsar.ConsumerType.Exclusive, pulsar.ConsumerType.Failover):
            assert firsts == sorted(firsts), self.topic
        elif self.kind == pulsar.ConsumerType.KeyShared:
            by_key: dict[int, list[int]] = defaultdict(list)
            for number in firsts:
                by_key[number % KEYS].append(number)
            assert all(numbers == sorted(numbers) for numbers in by_key.values()), self.topic


class Load(threading.Thread):
    """Sends on all flows until it is stopped."""

    def __init__(self, flows: list[Flow]) -> None:
        super().__init__(daemon=True)
        self._flows = flows
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.02):
            for flow in self._flows:
                if flow.sent - len(flow.acknowledged) < 150:  # else the others would wait for it
                    flow.send()

    def stop(self) -> None:
        self._ended.set()
        self.join()


def all_served(cluster: MagnetarCluster, topics: list[str]) -> float:
    """Wait until a broker that runs has each of the topics; how long that took."""
    began_s = time.monotonic()
    running = [broker for broker in cluster.brokers if broker.process is not None]
    waiting = list(topics)

    def is_served(topic: str) -> bool:
        return any(cluster.owner_of(topic, asked) in running for asked in running)

    def done() -> bool:
        waiting[:] = [topic for topic in waiting if not is_served(topic)]
        return not waiting

    wait_until(done, TAKE_OVER_S + SLACK_S)
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
            took_s = all_served(cluster, topics)
            if isinstance(victim, MagnetarBroker):
                longest_s = max(longest_s, took_s)
            print(f"seed {SEED}, cycle {cycle}: {victim.name} {victim.port}: {took_s:.2f} s")
            victim.start(60)
        load.stop()
        wait_until(lambda: all(flow.settled for flow in flows), CATCH_UP_S)
        wait_until(lambda: all(flow.has_all for flow in flows), CATCH_UP_S)
        for flow in flows:
            flow.check()
        sent = sum(flow.sent for flow in flows)
        print(f"{sent} messages; all topics served again after {longest_s:.2f} s at the most")
        assert longest_s < TAKE_OVER_S + SLACK_S
