"""What holds for all tests: how hypothesis judges, and one Apache Pulsar for all of a process."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from bench.servers import ApachePulsar, Server

APACHE_SETTINGS = {"acknowledgmentAtBatchIndexLevelEnabled": "true"}
"""So that both sides offer the same; on by default in Magnetar."""

LONGEST = (
    "test_mixed_cluster.py",
    "test_policies.py",
    "test_apache_bookies.py",
    "test_cluster_run.py",
    "test_java_tools.py",
    "test_cluster_outage.py",
    "test_rolling_restart.py",
    "test_balance.py",
)
"""Files that take minutes, with few tests: begun last, they would keep one worker of two long after
the other has nothing to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first; all others stay in their order."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


# Results count, not how fast a busy machine gives them.
settings.register_profile("magnetar", deadline=None)
settings.load_profile("magnetar")

os.environ.setdefault("PEERS_QUICK", "true")


@pytest.fixture(scope="session")
def apache_standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Apache Pulsar 4.0.7 standalone, shared by the session."""
    server = ApachePulsar(tmp_path_factory.mktemp("apache"), APACHE_SETTINGS)
    server.start()
    yield server
    server.kill()  # an orderly end takes seconds, and nobody reads the data
