"""Namespaces as a whole over HTTP."""

from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from magnetar_broker.config import BrokerConfig
from magnetar_broker.http.api import add_routes
from magnetar_metadata.memory import MemoryStore

from tests.broker.conftest import Broker, StartBroker

Http = Any
NAMESPACE = "/admin/v2/namespaces/public/n"
TOPICS = "/admin/v2/persistent/public/n"


async def test_properties(http: Http) -> None:
    assert (await http.put(NAMESPACE)).status == 204
    path = f"{NAMESPACE}/properties"
    assert await (await http.get(path)).json() == {}
    assert (await http.put(path, json={"a": "b", "c": "d"})).status == 204
    assert (await http.put(f"{NAMESPACE}/property/a/x")).status == 204
    assert await (await http.get(path)).json() == {"a": "x", "c": "d"}
    response = await http.get(f"{NAMESPACE}/property/a")
    assert (response.status, await response.text()) == (200, "x")
    response = await http.get(f"{NAMESPACE}/property/none")
    assert (response.status, await response.text()) == (200, "")
    response = await http.delete(f"{NAMESPACE}/property/a")
    assert (response.status, await response.text()) == (200, "x")
    assert await (await http.delete(f"{NAMESPACE}/property/a")).text() == ""
    assert await (await http.get(path)).json() == {"c": "d"}
    assert (await http.delete(path)).status == 204
    assert await (await http.get(path)).json() == {}
    assert (await http.put(path, json={"a": 1})).status == 400
    response = await http.put("/admin/v2/namespaces/public/none/properties", json={"a": "b"})
    assert response.status == 404


async def test_delete(http: Http, broker: Broker) -> None:
    assert (await http.put(NAMESPACE)).status == 204
    assert (await http.put(f"{TOPICS}/x")).status == 204
    response = await http.delete(NAMESPACE)
    assert response.status == 409
    assert (await response.json())["reason"] == "Cannot delete non empty namespace"
    response = await http.delete(f"{NAMESPACE}?force=true")
    assert response.status == 405
    assert (await http.delete(f"{TOPICS}/x")).status == 204
    assert (await http.delete(NAMESPACE)).status == 204
    response = await http.delete(NAMESPACE)
    assert (response.status, (await response.json())["reason"]) == (
        404,
        "Namespace public/n does not exist.",
    )
    assert (await http.put(f"{TOPICS}/x")).status == 404
    assert (await http.put(NAMESPACE)).status == 204


async def test_delete_with_its_topics(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(force_delete_namespaces=True))
    application = web.Application()
    add_routes(application, broker.service)
    async with TestClient(TestServer(application)) as http:
        assert (await http.put(NAMESPACE)).status == 204
        assert (await http.put(f"{TOPICS}/x")).status == 204
        assert (await http.put(f"{TOPICS}/p/partitions", json=2)).status == 204
        assert (await http.delete(f"{NAMESPACE}?force=true")).status == 204
        assert (await http.get(NAMESPACE)).status == 404
    assert not broker.service.topics.loaded
    assert isinstance(broker.store, MemoryStore)
    assert await broker.store.get("/admin/local-policies/public/n") is None


async def test_no_topic_is_made_in_a_namespace_that_is_going(http: Http, broker: Broker) -> None:
    assert (await http.put(NAMESPACE)).status == 204
    await broker.service.namespace_admin._mark(_name(), deleted=True)
    assert (await http.put(f"{TOPICS}/x")).status == 404


def _name() -> Any:
    from magnetar_broker.topic_name import NamespaceName

    return NamespaceName("public", "n")
