"""Bundles over HTTP: listed, unloaded, split."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from magnetar_broker.http.api import add_routes
from magnetar_broker.topic_name import TopicName

from tests.broker.conftest import Broker
from tests.broker.ownership.conftest import Cluster, Member, cluster, one, two

__all__ = ["cluster", "one", "two"]

Http = Any
BASE = "/admin/v2/namespaces/public/default"
X = TopicName.parse("x")
BOUNDARIES = ["0x00000000", "0x40000000", "0x80000000", "0xc0000000", "0xffffffff"]


@pytest.fixture
async def first(one: Member) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """Asks the first broker of a cluster."""
    application = web.Application()
    add_routes(application, one.service)
    async with TestClient(TestServer(application)) as client:
        yield client


async def test_which_there_are(http: Http) -> None:
    answer = await (await http.get(f"{BASE}/bundles")).json()
    assert answer == {"boundaries": BOUNDARIES, "numBundles": 4}
    assert (await http.get("/admin/v2/namespaces/public/none/bundles")).status == 404
    response = await http.get("/lookup/v2/topic/persistent/public/default/x/bundle")
    assert await response.text() in {
        f"{BOUNDARIES[index]}_{BOUNDARIES[index + 1]}" for index in range(4)
    }


async def range_of(http: Http, topic: str = "x") -> str:
    path = f"/lookup/v2/topic/persistent/public/default/{topic}/bundle"
    text: str = await (await http.get(path)).text()
    return text


async def test_a_whole_namespace(http: Http, broker: Broker) -> None:
    await broker.service.topic(X, create=True)
    system = TopicName.parse("pulsar/system/x")
    await broker.service.topic(system, create=True)
    assert (await http.put(f"{BASE}/unload")).status == 204
    assert list(broker.service.topics.loaded) == [str(system)]
    assert (await http.put("/admin/v2/namespaces/public/none/unload")).status == 404


async def test_a_broker_that_is_alone_closes_the_topics(http: Http, broker: Broker) -> None:
    await broker.service.topic(X, create=True)
    bundle = await range_of(http)
    others = [f"{BOUNDARIES[index]}_{BOUNDARIES[index + 1]}" for index in range(4)]
    others.remove(bundle)
    assert (await http.put(f"{BASE}/{others[0]}/unload")).status == 204
    assert broker.service.topics.loaded
    assert (await http.put(f"{BASE}/{bundle}/unload")).status == 204
    assert not broker.service.topics.loaded
    assert (await http.put(f"{BASE}/{bundle}/split")).status == 405


@pytest.mark.parametrize("path", ["0x00000000_0x40000001/unload", "0x40000000_0x00000000/split"])
async def test_what_is_no_bundle(http: Http, path: str) -> None:
    assert (await http.put(f"{BASE}/{path}")).status in (400, 412)


async def test_unload_in_a_cluster(one: Member, first: Http) -> None:
    await one.ownership.look_up(X, authoritative=True, listener="")
    await one.service.topic(X, create=True)
    bundle = await range_of(first)
    assert (await first.put(f"{BASE}/{bundle}/unload")).status == 204
    assert not one.service.topics.loaded
    assert not one.ownership.serves(X)


async def test_calls_for_a_bundle_go_to_its_owner(
    cluster: Cluster, one: Member, two: Member, first: Http
) -> None:
    await two.ownership.look_up(X, authoritative=True, listener="")
    path = f"{BASE}/{await range_of(first)}/split"
    response = await first.put(path, allow_redirects=False)
    assert response.status == 307
    assert response.headers["Location"] == f"http://two:2{path}?authoritative=true"


async def test_split(one: Member, first: Http) -> None:
    bundle = await range_of(first)
    assert (await first.put(f"{BASE}/{bundle}/split?splitAlgorithmName=other")).status == 412
    assert (await first.put(f"{BASE}/{bundle}/split")).status == 204
    answer = await (await first.get(f"{BASE}/bundles")).json()
    assert answer["numBundles"] == 5
    assert len(one.ownership.owned) == 2
    part = await range_of(first)
    assert (await first.put(f"{BASE}/{part}/split?unload=true")).status == 204
    assert len(one.ownership.owned) == 1


async def test_split_by_topics(one: Member, first: Http) -> None:
    path = f"{BASE}/{await range_of(first)}/split?splitAlgorithmName=topic_count_equally_divide"
    assert (await first.put(path)).status == 405  # there are too few
    bundle = await one.bundle_of(str(X))
    topics = []
    for number in range(200):
        name = TopicName.parse(f"topic-{number}")
        if await one.bundle_of(str(name)) == bundle:
            topics.append(name)
            await one.service.topic(name, create=True)
    assert (await first.put(path)).status == 204
    parts = [await one.bundle_of(str(name)) for name in topics]
    counts = [parts.count(part) for part in set(parts)]
    assert len(counts) == 2
    assert max(counts) - min(counts) <= 1
