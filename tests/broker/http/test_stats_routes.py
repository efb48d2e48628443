"""Figures of topics over HTTP."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.http.conftest import Broker

Http = TestClient[web.Request, web.Application]
BASE = "/admin/v2/non-persistent/public/default"


async def with_topics(http: Http, broker: Broker) -> None:
    """A plain topic and one of two partitions, with a producer and a consumer on the last."""
    client = await broker.client()
    assert (await http.put(f"{BASE}/p/partitions", json=2)).status == 204
    for producer_id, local in enumerate(("x", "p-partition-0", "p-partition-1"), 1):
        await client.produce(f"non-persistent://public/default/{local}", producer_id)
    subscribe = api.CommandSubscribe(
        topic="non-persistent://public/default/p-partition-1",
        subscription="s",
        subType=1,
        consumer_id=1,
        request_id=1,
    )
    await client.ask(subscribe)


async def test_stats(http: Http, broker: Broker) -> None:
    await with_topics(http, broker)
    stats = await (await http.get(f"{BASE}/x/stats")).json()
    assert (len(stats["publishers"]), stats["ownerBroker"]) == (1, "localhost:8080")
    stats = await (await http.get(f"{BASE}/x/stats?excludePublishers=true")).json()
    assert stats["publishers"] == []
    path = f"{BASE}/p-partition-1/stats?excludeConsumers=true"
    stats = await (await http.get(path)).json()
    assert stats["subscriptions"]["s"]["consumers"] == []
    internal = await (await http.get(f"{BASE}/x/internalStats")).json()
    assert internal["numberOfEntries"] == 0


async def test_stats_of_partitions(http: Http, broker: Broker) -> None:
    await with_topics(http, broker)
    stats = await (await http.get(f"{BASE}/p/partitioned-stats")).json()
    assert stats["metadata"] == {"partitions": 2, "deleted": False}
    assert (len(stats["publishers"]), len(stats["partitions"])) == (2, 2)
    assert list(stats["subscriptions"]) == ["s"]
    stats = await (await http.get(f"{BASE}/p/partitioned-stats?perPartition=false")).json()
    assert stats["partitions"] == {}
    internal = await (await http.get(f"{BASE}/p/partitioned-internalStats")).json()
    assert sorted(internal["partitions"]) == sorted(
        f"non-persistent://public/default/p-partition-{index}" for index in (0, 1)
    )


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none/stats", "Topic non-persistent://public/default/none not found"),
        ("p/stats", "Topic non-persistent://public/default/p not found"),
        ("none/internalStats", "Topic non-persistent://public/default/none not found"),
        ("x/partitioned-stats", "Partitioned Topic non-persistent://public/default/x not found"),
    ],
)
async def test_absent(http: Http, broker: Broker, path: str, reason: str) -> None:
    await with_topics(http, broker)
    response = await http.get(f"{BASE}/{path}")
    assert (response.status, await response.json()) == (404, {"reason": reason})
