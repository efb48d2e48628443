"""Servers that the bench's own tests measure."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.servers import Magnetar, NullServer, Server


@pytest.fixture(scope="session")
def null_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The null server in a process of its own."""
    server = NullServer(tmp_path_factory.mktemp("null"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def magnetar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real broker for what the null server cannot answer."""
    server = Magnetar(tmp_path_factory.mktemp("magnetar"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def topic(tmp_path: Path) -> str:
    """A topic of this test alone."""
    return f"persistent://public/default/{tmp_path.name}"
