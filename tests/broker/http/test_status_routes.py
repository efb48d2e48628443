"""The page that load balancers ask for."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from magnetar_broker.config import BrokerConfig
from magnetar_broker.http.api import add_routes
from magnetar_broker.web_config import WebConfig
from magnetar_metadata.store import MetadataError

from tests.broker.conftest import Broker, StartBroker


@pytest.fixture
async def marked(start_broker: StartBroker, tmp_path: Path) -> Broker:
    """A broker that has a file of its status."""
    config = BrokerConfig(web=WebConfig(status_file=str(tmp_path / "status")))
    return await start_broker(config)


@pytest.fixture
async def http(marked: Broker) -> AsyncIterator[Any]:
    application = web.Application()
    add_routes(application, marked.service)
    async with TestClient(TestServer(application)) as client:
        yield client


async def status(http: Any) -> tuple[int, str]:
    answer = await http.get("/status.html")
    return answer.status, await answer.text()


async def test_it_follows_the_file_and_the_broker(
    http: Any, marked: Broker, tmp_path: Path
) -> None:
    assert (await status(http))[0] == 404
    (tmp_path / "status").touch()
    assert await status(http) == (200, "OK")
    (tmp_path / "status").unlink()
    assert (await status(http))[0] == 404
    (tmp_path / "status").touch()
    await marked.service.stop()
    assert (await status(http))[0] == 404


async def test_it_is_there_while_metadata_is_away(
    http: Any, marked: Broker, tmp_path: Path
) -> None:
    """Scenario: ZooKeeper is away for a minute, and the load balancer takes out every broker, all
    of which serve their topics on."""
    (tmp_path / "status").touch()

    async def away(path: str) -> None:
        raise MetadataError(path, "away")

    marked.store.get = away  # type: ignore[assignment]
    assert await status(http) == (200, "OK")


async def test_load_balancers_may_ask_for_the_head_alone(http: Any, tmp_path: Path) -> None:
    assert (await http.head("/status.html")).status == 404
    (tmp_path / "status").touch()
    answer = await http.head("/status.html")
    assert (answer.status, await answer.read()) == (200, b"")


async def test_without_a_file_it_is_not_there(broker: Broker) -> None:
    application = web.Application()
    add_routes(application, broker.service)
    async with TestClient(TestServer(application)) as client:
        assert (await status(client))[0] == 404
