"""Calls for a topic go to its owner, of several brokers; all else is answered by any of them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from magnetar_broker.http.api import add_routes
from magnetar_broker.topic_name import TopicName

from tests.broker.ownership.conftest import Cluster, Member, cluster, one, two

__all__ = ["cluster", "one", "two"]

Http = Any
NAME = TopicName.parse("x")
PATH = "/admin/v2/persistent/public/default/x"


@pytest.fixture
async def http(one: Member) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """Asks the first broker."""
    application = web.Application()
    add_routes(application, one.service)
    async with TestClient(TestServer(application)) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", f"{PATH}/stats?excludePublishers=true&authoritative=true"),
        ("put", PATH),
        ("delete", f"{PATH}?force=true"),
        ("put", f"{PATH}/unload"),
        ("post", f"{PATH}/subscription/s/resetcursor/5"),
        ("get", "/admin/v2/persistent/public/default/partitions/stats"),
    ],
)
async def test_to_the_owner(
    cluster: Cluster, one: Member, two: Member, http: Http, method: str, path: str
) -> None:
    local = "partitions" if "/partitions/" in path else "x"
    await two.ownership.look_up(TopicName.parse(local), authoritative=True, listener="")
    response = await getattr(http, method)(path, allow_redirects=False)
    assert response.status == 307
    separator = "&" if "?" in path else "?"
    path = path.replace("&authoritative=true", "")
    there = f"http://two:2{path}{separator}authoritative=true"
    assert response.headers["Location"] == there


async def test_by_way_of_the_leader(cluster: Cluster, one: Member, two: Member) -> None:
    application = web.Application()
    add_routes(application, two.service)
    async with TestClient(TestServer(application)) as http:
        response = await http.get(f"{PATH}/stats", allow_redirects=False)
    assert response.status == 307
    assert response.headers["Location"] == f"http://one:2{PATH}/stats?authoritative=false"


async def test_an_unowned_topic_that_is_to_be_here_is_taken(one: Member, http: Http) -> None:
    assert (await http.put(f"{PATH}?authoritative=true")).status == 204
    assert one.ownership.serves(NAME)


async def test_any_broker_answers_from_metadata(
    cluster: Cluster, one: Member, two: Member, http: Http
) -> None:
    await two.ownership.look_up(NAME, authoritative=True, listener="")
    response = await http.get(f"{PATH}/partitions?checkAllowAutoCreation=true")
    assert await response.json() == {"partitions": 0, "deleted": False}
    assert (await http.get("/admin/v2/persistent/public/default")).status == 200
    assert (await http.get("/admin/v2/persistent/public/none/x/stats")).status == 404


async def test_lookup(cluster: Cluster, one: Member, two: Member, http: Http) -> None:
    path = "/lookup/v2/topic/persistent/public/default/x"
    one.ownership.leaving = True
    response = await http.get(f"{path}?listenerName=", allow_redirects=False)
    assert response.status == 307
    assert response.headers["Location"] == f"http://two:2{path}?listenerName=&authoritative=true"
    one.ownership.leaving = False
    await two.ownership.look_up(NAME, authoritative=True, listener="")
    assert await (await http.get(path)).json() == {
        "brokerUrl": "pulsar://two:1",
        "httpUrl": "http://two:2",
        "nativeUrl": "pulsar://two:1",
        "brokerUrlSsl": "",
    }


async def test_the_brokers_and_their_leader(
    cluster: Cluster, one: Member, two: Member, http: Http
) -> None:
    assert await (await http.get("/admin/v2/brokers")).json() == ["one:2", "two:2"]
    response = await http.get("/admin/v2/brokers/leaderBroker")
    assert await response.json() == {"brokerId": "one:2", "serviceUrl": "http://one:2"}
    await one.cluster._election.resign()
    response = await http.get("/admin/v2/brokers/leaderBroker")
    assert response.status in (200, 404)  # it may be the leader again by now
