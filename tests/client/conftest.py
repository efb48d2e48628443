"""A broker for the tests of the SDK: Magnetar, and Apache Pulsar for the same tests.

One process of each per session; tests keep apart by topics of their own.
"""

import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from magnetar import Client

from bench.servers import Magnetar, Server

_numbers = itertools.count()


@pytest.fixture(scope="session")
def magnetar_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`magnetar standalone`, shared by the session."""
    server = Magnetar(tmp_path_factory.mktemp("sdk"))
    server.start()
    yield server
    if server.process is not None:
        server.stop()


@pytest.fixture(
    params=[
        pytest.param("magnetar_server", id="magnetar"),
        pytest.param("apache_standalone", id="apache", marks=pytest.mark.interop),
    ]
)
def server(request: pytest.FixtureRequest) -> Server:
    """The same test on both brokers."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    """A client of the broker, closed in the end."""
    async with Client(server.service_url) as opened:
        yield opened


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Magnetar]:
    """A Magnetar that the test may start, stop and kill as it likes."""
    server = Magnetar(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def new_topic() -> Callable[[], str]:
    """Makes names that no other test uses, also on a broker that outlives the session."""
    return lambda: f"persistent://public/default/sdk-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def topic(new_topic: Callable[[], str]) -> str:
    """A name that no other test uses."""
    return new_topic()
