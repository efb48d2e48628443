"""`magnetar cluster run` with a real ZooKeeper: it serves, heals, and leaves nothing behind."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulsar
import pytest

from bench.processes import ServerProcess
from bench.servers import magnetar_command
from bench.zookeeper_home import zookeeper_home
from tests.interop.official import wait_until
from tests.interop.zookeeper_server import ApacheZooKeeper

pytestmark = pytest.mark.interop

TOPIC = "persistent://public/default/local-cluster"


class LocalCluster:
    """The command, and what it said."""

    def __init__(self, directory: Path, *arguments: str, home: Path | None = None) -> None:
        # Each of its processes would compile what an installation has compiled.
        environment = {"PYTHONDONTWRITEBYTECODE": ""}
        if home:
            environment["ZOOKEEPER_HOME"] = str(home)
        command = [*magnetar_command(), "cluster", "run", "--data-dir", str(directory / "data")]
        self.process = ServerProcess(
            [*command, "-o", "json", *arguments], directory / "log", environment
        )
        line = self.process.wait_for_line('"ready"', 90)
        self.facts: dict[str, Any] = json.loads(line)
        self.pids = {row["name"]: row["pid"] for row in self.facts["processes"]}

    def client(self) -> pulsar.Client:
        logger = pulsar.ConsoleLogger(pulsar.LoggerLevel.Error)
        return pulsar.Client(self.facts["urls"][0], logger=logger)

    def anybody_left(self) -> bool:
        return any(Path(f"/proc/{pid}/cmdline").exists() for pid in self.pids.values())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zookeeper_home(tmp_path_factory.mktemp("zookeeper") / "home")


@pytest.fixture
def started() -> Iterator[list[LocalCluster]]:
    clusters: list[LocalCluster] = []
    yield clusters
    for cluster in clusters:
        cluster.process.kill()


def publish(client: pulsar.Client, count: int) -> None:
    producer = client.create_producer(TOPIC)
    for number in range(count):
        producer.send(b"%d" % number)
    producer.close()


def test_it_serves_heals_and_ends_in_order(
    tmp_path: Path, home: Path, started: list[LocalCluster]
) -> None:
    cluster = LocalCluster(tmp_path, home=home)
    started.append(cluster)
    assert sorted(cluster.pids) == [
        *("bookie-0", "bookie-1", "bookie-2", "broker-0", "broker-1", "zookeeper"),
    ]
    client = cluster.client()
    try:
        # Without a subscription nothing would have to be kept.
        consumer = client.subscribe(TOPIC, "s", initial_position=pulsar.InitialPosition.Earliest)
        publish(client, 10)
        os.kill(cluster.pids["broker-0"], signal.SIGKILL)
        os.kill(cluster.pids["bookie-1"], signal.SIGKILL)
        publish(client, 10)
        for name in ("broker-0", "bookie-1"):
            cluster.process.wait_for_line(f"{name} ended by SIGKILL, and is started again", 10)
            cluster.process.wait_for_line(f"{name} is ready again", 60)
        publish(client, 10)
        for number in range(30):
            message = consumer.receive(20_000)
            assert message.data() == b"%d" % (number % 10)
            consumer.acknowledge(message)
    finally:
        client.close()
    assert cluster.process.terminate() == 0
    assert not cluster.anybody_left()


def test_kill_9_leaves_nothing_and_the_data_is_served_again(
    tmp_path: Path, apache_zookeeper: ApacheZooKeeper, started: list[LocalCluster]
) -> None:
    store = ("--metadata-store", f"zk:{apache_zookeeper.hosts}/local-cluster")
    small = (*store, "--brokers", "1", "--bookies", "1")
    first = LocalCluster(tmp_path, *small)
    started.append(first)
    client = first.client()
    client.subscribe(TOPIC, "s", initial_position=pulsar.InitialPosition.Earliest)
    publish(client, 5)
    client.close()
    os.kill(first.process.pid, signal.SIGKILL)
    wait_until(lambda: not first.anybody_left(), 20)
    second = LocalCluster(tmp_path, *small)
    started.append(second)
    client = second.client()
    consumer = client.subscribe(TOPIC, "s")
    assert [consumer.receive(20_000).data() for _ in range(5)] == [b"%d" % n for n in range(5)]
    client.close()
    began_s = time.monotonic()
    assert second.process.terminate() == 0
    print(f"ended in {time.monotonic() - began_s:.2f} s")
