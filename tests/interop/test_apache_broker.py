"""The broker of Apache Pulsar on our bookies, one of which is killed and replaced."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.servers import Server, magnetar_command
from tests.interop.apache_broker import ApacheBroker
from tests.interop.magnetar_broker import MagnetarBookie
from tests.interop.official import Session, receive_until, send_numbers
from tests.interop.zookeeper_server import ApacheZooKeeper

pytestmark = [pytest.mark.interop, pytest.mark.official]

TOPIC = "persistent://public/default/on-our-bookies"
QUORUMS = (3, 3, 2)
COUNT = 3_000
READY_S = 60


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    started: list[Server] = []
    yield started
    for server in reversed(started):
        server.kill()


def bookie_at(directory: Path, url: str) -> MagnetarBookie:
    directory.mkdir()
    directories = {
        "ledgerDirectories": str(directory / "ledgers"),
        "journalDirectories": str(directory / "journal"),
    }
    return MagnetarBookie(directory, url, **directories)


def test_the_official_client_on_apaches_broker_on_our_bookies(
    apache_zookeeper: ApacheZooKeeper, servers: list[Server], tmp_path: Path
) -> None:
    zookeeper = f"{apache_zookeeper.hosts}/our-bookies"
    init = [*magnetar_command(), "cluster", "init", "--cluster", "peers"]
    init += ["--metadata-store", f"zk:{zookeeper}"]
    subprocess.run(init, check=True, stdout=subprocess.DEVNULL, timeout=60)
    bookies = [bookie_at(tmp_path / f"bookie{n}", f"zk:{zookeeper}") for n in range(4)]
    broker = ApacheBroker(tmp_path / "broker", zookeeper, QUORUMS)
    broker.directory.mkdir()
    servers += [*bookies, broker]
    for bookie in bookies[:3]:
        bookie.start()
    broker.start(READY_S)
    with Session(broker) as session:
        consumer = session.consumer(TOPIC)
        producer = session.producer(TOPIC, batched=False)
        send_numbers(producer, range(COUNT))
        bookies[3].start()
        bookies[0].kill()
        send_numbers(producer, range(COUNT, 2 * COUNT))
        came = receive_until(consumer, set(range(2 * COUNT)))
        assert list(dict.fromkeys(came)) == list(range(2 * COUNT))
        send_numbers(session.producer(TOPIC, batched=True), range(2 * COUNT, 3 * COUNT))
        receive_until(consumer, set(range(2 * COUNT, 3 * COUNT)))
    assert broker.stop() in (0, 143)
