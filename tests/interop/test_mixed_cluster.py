"""A broker of Apache Pulsar and one of ours share the topics of a cluster, and take over."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pulsar
import pytest

from bench.servers import Server, magnetar_command
from tests.interop.apache_broker import ApacheBroker
from tests.interop.magnetar_bookies import MagnetarBookie
from tests.interop.magnetar_broker import MagnetarBroker
from tests.interop.magnetar_cluster import TICK_MS
from tests.interop.official import Session, number_of, receive_until, send_numbers, wait_until
from tests.interop.zookeeper_server import ApacheZooKeeper

pytestmark = [pytest.mark.interop, pytest.mark.official]

COUNT = 40
READY_S = 120
TAKE_OVER_S = 60.0
"""Apache's session lasts as long as ten ticks at the most; its JVM is slow here."""


class Mixed:
    """One broker of each kind, on our bookies."""

    def __init__(self, directory: Path) -> None:
        self.zookeeper = ApacheZooKeeper(_made(directory / "zookeeper"), tick_ms=TICK_MS)
        hosts = self.zookeeper.hosts
        self.bookies = [
            MagnetarBookie(_made(directory / f"bookie-{n}"), hosts, named=True) for n in range(2)
        ]
        self.ours = MagnetarBroker(_made(directory / "ours"), f"zk:{hosts}", clusterName="peers")
        self.apache = ApacheBroker(_made(directory / "apache"), hosts, (2, 2, 2))

    def start(self) -> None:
        self.zookeeper.start()
        init = [*magnetar_command(), "cluster", "init", "--cluster", "peers"]
        init += ["--metadata-store", f"zk:{self.zookeeper.hosts}"]
        subprocess.run(init, check=True, stdout=subprocess.DEVNULL)
        for bookie in self.bookies:
            bookie.start()

    def kill(self) -> None:
        for server in (self.ours, self.apache, *self.bookies, self.zookeeper):
            server.kill()


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


@pytest.fixture
def mixed(tmp_path: Path) -> Iterator[Mixed]:
    made = Mixed(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def _owner(session: Session, topic: str, brokers: list[Server]) -> Server:
    """Told by the stats, which only the owner has: others send us to it."""
    name = session.stats(topic)["ownerBroker"]
    return next(each for each in brokers if name.endswith(f":{each.web_port}"))


@pytest.mark.parametrize("victim", ["apache", "ours"])
def test_each_takes_over_from_the_other(mixed: Mixed, victim: str) -> None:
    """The one that is killed is started first: it is the leader too, and leaves holes of acks."""
    dying: Server = mixed.apache if victim == "apache" else mixed.ours
    heir: Server = mixed.ours if victim == "apache" else mixed.apache
    dying.start(READY_S)
    heir.start(READY_S)
    topics = [f"persistent://public/default/mixed-{number}" for number in range(12)]
    with Session(heir, quiet=True) as session:
        consumers = {}
        for topic in topics:
            consumers[topic] = session.consumer(topic, pulsar.ConsumerType.Shared)
            send_numbers(session.producer(topic, batched=False), range(COUNT))
            for _ in range(COUNT):
                message = consumers[topic].receive(20_000)
                if number_of(message) % 3:
                    consumers[topic].acknowledge(message)
        owners = {topic: _owner(session, topic, [dying, heir]) for topic in topics}
        assert set(map(id, owners.values())) == {id(dying), id(heir)}
        time.sleep(3)  # cursors are written behind, once a second
        dying.kill()
        for topic in topics:
            if owners[topic] is dying:
                wait_until(lambda topic=topic: _is_served(session, topic), TAKE_OVER_S)
        for topic in topics:
            send_numbers(session.producer(topic, batched=False), range(COUNT, 2 * COUNT))
            if owners[topic] is not dying:
                consumers[topic].redeliver_unacknowledged_messages()
            holes = set(range(0, COUNT, 3))
            came = receive_until(consumers[topic], holes | set(range(COUNT, 2 * COUNT)))
            assert set(came) == holes | set(range(COUNT, 2 * COUNT)), topic


def _is_served(session: Session, topic: str) -> bool:
    try:
        session.stats(topic)
    except OSError:
        return False
    return True
