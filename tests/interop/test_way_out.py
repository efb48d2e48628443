"""The way out of a standalone: its data goes on in a cluster of a bookie and a broker."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pulsar
import pytest

from bench.servers import Magnetar, Server, magnetar_command
from tests.interop.magnetar_broker import MagnetarBookie, MagnetarBroker
from tests.interop.official import Session, number_of, send_numbers
from tests.interop.zookeeper_server import ApacheZooKeeper

pytestmark = [pytest.mark.interop, pytest.mark.official]

MESSAGES = int(os.environ.get("MESSAGES", "100000"))
TOPIC = "persistent://public/default/way-out"
HOLE = 7
"""Every so-many-th message is left unacknowledged."""
READ_TIMEOUT_MS = 20_000


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    started: list[Server] = []
    yield started
    for server in started:
        server.kill()


def write_with_holes(standalone: Magnetar) -> None:
    """All messages, half of them read, and of these all but some acknowledged."""
    with Session(standalone) as session:
        consumer = session.consumer(TOPIC, pulsar.ConsumerType.Shared)
        send_numbers(session.producer(TOPIC, batched=False), range(MESSAGES))
        for _ in range(MESSAGES // 2):
            message = consumer.receive(READ_TIMEOUT_MS)
            if number_of(message) % HOLE:
                consumer.acknowledge(message)
        consumer.close()


def test_a_standalone_goes_on_as_a_cluster(
    apache_zookeeper: ApacheZooKeeper,
    own_magnetar: Magnetar,
    servers: list[Server],
    tmp_path: Path,
) -> None:
    own_magnetar.start()
    write_with_holes(own_magnetar)
    assert own_magnetar.stop() == 0
    data = own_magnetar.data_directory
    url = f"zk:{apache_zookeeper.hosts}/way-out"
    copy = [*magnetar_command(), "metadata", "copy", f"sqlite:{data}", url]
    subprocess.run(copy, check=True, stdout=subprocess.DEVNULL, timeout=120)

    directories = {"ledgerDirectories": f"{data}/ledgers", "journalDirectories": f"{data}/journal"}
    one_copy = dict.fromkeys(
        (
            "managedLedgerDefaultEnsembleSize",
            "managedLedgerDefaultWriteQuorum",
            "managedLedgerDefaultAckQuorum",
        ),
        "1",
    )
    bookie = MagnetarBookie(tmp_path / "bookie", url, **directories)
    broker = MagnetarBroker(tmp_path / "broker", url, **one_copy)
    servers += [bookie, broker]
    for server in servers:
        server.directory.mkdir()
        server.start()

    left = {n for n in range(MESSAGES) if n >= MESSAGES // 2 or n % HOLE == 0}
    with Session(broker) as session:
        consumer = session.consumer(TOPIC, pulsar.ConsumerType.Shared)
        came: set[int] = set()
        while not left <= came:
            message = consumer.receive(READ_TIMEOUT_MS)
            came.add(number_of(message))
            consumer.acknowledge(message)
        assert came == left
        send_numbers(session.producer(TOPIC, batched=False), range(MESSAGES, MESSAGES + 10))
        more = [number_of(consumer.receive(READ_TIMEOUT_MS)) for _ in range(10)]
        assert more == list(range(MESSAGES, MESSAGES + 10))
