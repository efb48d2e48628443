"""Our broker on Apache ZooKeeper and Apache bookies, with the official client."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.servers import magnetar_command
from tests.interop.apache_bookies import ApacheBookies
from tests.interop.magnetar_broker import MagnetarBroker
from tests.interop.official import Session, number_of, send_numbers

pytestmark = pytest.mark.interop

TOPIC = "persistent://public/default/on-apache-bookies"
COUNT = 2_000


@pytest.fixture
def metadata_url(apache_bookies: ApacheBookies) -> str:
    url = f"zk:127.0.0.1:{apache_bookies.zookeeper_port}"
    init = [*magnetar_command(), "cluster", "init", "--metadata-store", url, "--cluster"]
    subprocess.run([*init, "standalone"], check=True, stdout=subprocess.DEVNULL)
    return url


@pytest.fixture
def broker(metadata_url: str, tmp_path: Path) -> Iterator[MagnetarBroker]:
    quorums = {"managedLedgerDefaultEnsembleSize": "3", "managedLedgerDefaultWriteQuorum": "3"}
    server = MagnetarBroker(tmp_path, metadata_url, **quorums)
    server.start()
    yield server
    server.kill()


def test_the_official_client_on_our_broker_on_apache_bookies(
    broker: MagnetarBroker,
) -> None:
    with Session(broker) as session:
        consumer = session.consumer(TOPIC)
        send_numbers(session.producer(TOPIC, batched=True), range(COUNT // 2))
        send_numbers(session.producer(TOPIC, batched=False), range(COUNT // 2, COUNT))
        first = [consumer.receive(20_000) for _ in range(COUNT // 4)]
        consumer.acknowledge_cumulative(first[-1])
        consumer.close()
    broker.kill()
    broker.start(timeout_s=30)  # when the session of the killed one has ended
    with Session(broker) as session:
        consumer = session.consumer(TOPIC)
        # What was acknowledged less than a second before the kill comes again.
        came = [*map(number_of, first), number_of(consumer.receive(20_000))]
        while came[-1] != COUNT - 1:
            came.append(number_of(consumer.receive(20_000)))
    assert list(dict.fromkeys(came)) == list(range(COUNT))
