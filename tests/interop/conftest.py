"""The brokers that the official client talks to: Magnetar, and Apache Pulsar for the same tests.

Each is started once and shared; tests keep apart by topic names of their own. The processes die
with the test run, however it ends (see `bench.processes`).
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.servers import Magnetar, Server
from tests.interop.apache_bookies import ApacheBookies
from tests.interop.official import Session
from tests.interop.zookeeper_server import ApacheZooKeeper

_topic_numbers = itertools.count()


@pytest.fixture(scope="session")
def apache_bookies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheBookies]:
    """Apache ZooKeeper, four bookies and a Java client in one JVM."""
    cluster = ApacheBookies(tmp_path_factory.mktemp("bookies"))
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def magnetar_standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`magnetar standalone` with its own data directory, shared by the session."""
    server = Magnetar(tmp_path_factory.mktemp("magnetar"))
    server.start()
    yield server
    if server.process is not None:
        server.stop()


@pytest.fixture(scope="session")
def apache_zookeeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheZooKeeper]:
    """Apache ZooKeeper 3.9, shared by the session; tests keep apart by paths of their own."""
    server = ApacheZooKeeper(tmp_path_factory.mktemp("zookeeper"), tick_ms=2000)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_magnetar(tmp_path: Path) -> Iterator[Magnetar]:
    """A Magnetar, not started yet, that the test may stop, kill and start as it likes."""
    server = Magnetar(tmp_path)
    yield server
    server.kill()


@pytest.fixture(
    params=[
        pytest.param("magnetar_standalone", id="magnetar", marks=pytest.mark.official),
        pytest.param(
            "apache_standalone", id="apache", marks=[pytest.mark.official, pytest.mark.interop]
        ),
    ]
)
def broker(request: pytest.FixtureRequest) -> Server:
    """The same test on both brokers."""
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def session(broker: Server) -> Iterator[Session]:
    """An official client connected to `broker`."""
    with Session(broker) as opened:
        yield opened


@pytest.fixture
def new_topic() -> Callable[[], str]:
    """Makes topic names that no other test uses."""
    return lambda: f"persistent://public/default/interop-{next(_topic_numbers)}"


@pytest.fixture
def topic(new_topic: Callable[[], str]) -> str:
    """A topic name that no other test uses."""
    return new_topic()
