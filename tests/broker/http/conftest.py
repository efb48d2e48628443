"""A client of the broker's HTTP side, without a socket's address to clash."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from magnetar_broker.http.api import add_routes

from tests.broker.conftest import Broker, StartBroker, broker, start_broker

__all__ = ["Broker", "StartBroker", "broker", "start_broker"]


@pytest.fixture
async def http(broker: Broker) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """Asks the routes of the broker."""
    application = web.Application()
    add_routes(application, broker.service)
    async with TestClient(TestServer(application)) as client:
        yield client
