"""Fixtures for pytest; loaded by itself where magnetar and pytest are installed.

def test_orders(magnetar_broker, magnetar_topic):
    client = Client(magnetar_broker.service_url)    # or pulsar.Client
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    # Nothing heavy is imported in a test run that uses none of these.
    from collections.abc import Iterator

    from magnetar.testing.broker import Broker
    from magnetar.testing.chaos_thread import ChaosThread

_numbers = itertools.count()


@pytest.fixture(scope="session")
def magnetar_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker for the whole run. Tests keep apart by `magnetar_topic`."""
    from magnetar.testing.broker import Broker

    with Broker(tmp_path_factory.mktemp("magnetar")) as broker:
        yield broker


@pytest.fixture
def magnetar_own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with clean data for one test, which may kill, pause and restart it."""
    from magnetar.testing.broker import Broker

    with Broker(tmp_path_factory.mktemp("magnetar-own")) as broker:
        yield broker


@pytest.fixture
def magnetar_chaos(magnetar_own_broker: Broker) -> Iterator[ChaosThread]:
    """A proxy in front of `magnetar_own_broker` that fails on order."""
    with magnetar_own_broker.fault() as proxy:
        yield proxy


@pytest.fixture
def magnetar_topic(request: pytest.FixtureRequest) -> str:
    """The name of a topic that no other test uses."""
    letters = "".join(each if each.isalnum() else "-" for each in request.node.name)
    return f"persistent://public/default/{letters}-{next(_numbers)}"
