"""Brokers, clusters, tenants and namespaces over HTTP."""

from typing import Any

import pytest

from tests.broker.conftest import Broker

Http = Any


@pytest.mark.parametrize("path", ["health", "ready"])
async def test_health(http: Http, broker: Broker, path: str) -> None:
    response = await http.get(f"/admin/v2/brokers/{path}")
    assert (response.status, await response.text()) == (200, "ok")
    await broker.service.stop()
    response = await http.get(f"/admin/v2/brokers/{path}")
    assert response.status == 503
    assert (await response.json())["reason"]


async def test_version(http: Http, broker: Broker) -> None:
    response = await http.get("/admin/v2/brokers/version")
    assert await response.text() == broker.service.version


@pytest.mark.parametrize(
    ("path", "status", "answer"),
    [
        ("brokers", 200, ["localhost:8080"]),
        (
            "brokers/leaderBroker",
            200,
            {"brokerId": "localhost:8080", "serviceUrl": "http://localhost:8080"},
        ),
        ("brokers/standalone", 200, ["localhost:8080"]),
        ("clusters", 200, ["standalone"]),
        ("clusters/none", 404, {"reason": "Cluster does not exist"}),
        ("tenants", 200, ["public", "pulsar"]),
        ("tenants/public", 200, {"adminRoles": [], "allowedClusters": ["standalone"]}),
        ("tenants/none", 404, {"reason": "Tenant does not exist"}),
        ("namespaces/public", 200, ["public/default"]),
        ("namespaces/none", 404, {"reason": "Tenant not found"}),
        ("namespaces/public/none", 404, {"reason": "Namespace does not exist"}),
        ("namespaces/public/default/topics", 200, []),
        ("namespaces/public/default/topics?mode=NON_PERSISTENT", 200, []),
        ("namespaces/public/none/topics", 404, {"reason": "Namespace does not exist"}),
        ("nothing", 404, {"reason": "Not Found"}),
    ],
)
async def test_get(http: Http, path: str, status: int, answer: Any) -> None:
    response = await http.get(f"/admin/v2/{path}")
    assert (response.status, await response.json()) == (status, answer)


async def test_cluster(http: Http) -> None:
    response = await http.get("/admin/v2/clusters/standalone")
    assert (await response.json())["brokerServiceUrl"] == "pulsar://localhost:6650"


async def test_create_namespace(http: Http) -> None:
    path = "/admin/v2/namespaces/public/new"
    response = await http.put(path, json={"replication_clusters": ["standalone"]})
    assert (response.status, await response.text()) == (204, "")
    response = await http.get(path)
    assert (await response.json())["replication_clusters"] == ["standalone"]
    response = await http.put(path)
    assert response.status == 409
    assert await response.json() == {"reason": "Namespace already exists"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("public/b", b'""', 204),
        ("none/b", b"", 404),
        ("public/b%20c", b"", 412),
        ("public/b", b"[1]", 400),
        ("public/b", b"{", 400),
        ("public/b", b'{"bundles": 3}', 400),
        ("public/b", b'{"bundles": {"numBundles": 4294967296}}', 400),
        ("public/b", b'{"bundles": {"numBundles": -4}}', 400),
    ],
)
async def test_bodies(http: Http, path: str, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    response = await http.put(f"/admin/v2/namespaces/{path}", data=body, headers=headers)
    assert response.status == status


async def test_body_of_another_type(http: Http) -> None:
    headers = {"Content-Type": "text/plain"}
    response = await http.put("/admin/v2/namespaces/public/b", data=b"{}", headers=headers)
    assert response.status == 415
    assert (await response.json())["reason"]
