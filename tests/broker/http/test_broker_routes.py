"""Configuration, ownership and bookies over HTTP."""

from typing import Any

from tests.broker.conftest import Broker

Http = Any
ADMIN = "/admin/v2"


async def _json(http: Http, path: str) -> Any:
    return await (await http.get(f"{ADMIN}{path}")).json()


async def test_no_key_is_changed_live(http: Http) -> None:
    assert await _json(http, "/brokers/configuration") == []
    assert await _json(http, "/brokers/configuration/values") == {}
    runtime = await _json(http, "/brokers/configuration/runtime")
    assert (runtime["clusterName"], runtime["allowAutoTopicCreation"]) == ("standalone", "true")
    response = await http.post(f"{ADMIN}/brokers/configuration/a/b")
    assert (response.status, (await response.json())["reason"]) == (
        412,
        "Can't update non-dynamic configuration",
    )
    assert (await http.delete(f"{ADMIN}/brokers/configuration/a")).status == 412


async def test_what_is_owned(http: Http, broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    owned = await _json(http, "/brokers/standalone/localhost:8080/ownedNamespaces")
    (bundle,) = owned
    assert bundle.startswith("public/default/0x")
    assert owned[bundle]["is_active"]
    response = await http.get(f"{ADMIN}/brokers/standalone/other:1/ownedNamespaces")
    assert response.status == 404
    stats = await _json(http, "/broker-stats/topics")
    topic = stats["public/default"][bundle.rpartition("/")[2]]["persistent"]
    assert topic["persistent://public/default/x"]["producerCount"] == 1
    assert topic["persistent://public/default/x"]["subscriptions"] == {}


async def test_bookies(http: Http, broker: Broker) -> None:
    assert await _json(http, "/bookies/all") == {"bookies": []}
    assert await _json(http, "/bookies/racks-info") == {}
    await broker.store.create("/bookies", b'{"g":{"b:3181":{"rack":"/r","hostname":"h"}}}')
    await broker.store.create("/ledgers/available/b:3181", b"")
    assert await _json(http, "/bookies/all") == {"bookies": [{"bookieId": "b:3181"}]}
    assert await _json(http, "/bookies/racks-info/b:3181") == {"rack": "/r", "hostname": "h"}
    response = await http.get(f"{ADMIN}/bookies/racks-info/other:1")
    assert response.status == 404


async def test_racks_that_nobody_can_read_are_told(http: Http, broker: Broker) -> None:
    await broker.store.create("/bookies", b"[")
    response = await http.get(f"{ADMIN}/bookies/racks-info")
    assert response.status == 500
    assert "/bookies" in (await response.json())["reason"]


async def test_quotas_are_looked_at(http: Http) -> None:
    assert (await http.get(f"{ADMIN}/brokers/backlog-quota-check")).status == 204
