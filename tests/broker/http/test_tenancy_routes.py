"""Clusters and tenants over HTTP, answered as Apache Pulsar 4.0.7 answered."""

from typing import Any

import pytest
from yarl import URL

Http = Any
ADMIN = "/admin/v2"
TENANT = {"adminRoles": ["a"], "allowedClusters": ["standalone"]}


async def _said(response: Any) -> tuple[int, str]:
    text = await response.text()
    return response.status, (await response.json())["reason"] if text else ""


async def test_life_of_a_cluster(http: Http) -> None:
    path = f"{ADMIN}/clusters/c1"
    data = {"serviceUrl": "http://h:8080", "brokerServiceUrl": "pulsar://h:6650"}
    assert await _said(await http.put(path, json=data)) == (200, "")
    assert await _said(await http.put(path, json=data)) == (409, "Cluster already exists")
    flags = dict.fromkeys(
        (
            "brokerClientTlsEnabled",
            "tlsAllowInsecureConnection",
            "brokerClientTlsEnabledWithKeyStore",
        ),
        False,
    )
    assert await (await http.get(path)).json() == {**data, **flags}
    assert await _said(await http.post(path, json={"serviceUrl": "http://x:1"})) == (200, "")
    assert await (await http.get(path)).json() == {"serviceUrl": "http://x:1", **flags}
    assert await _said(await http.delete(path)) == (204, "")
    assert await _said(await http.delete(path)) == (404, "Cluster does not exist")
    assert await _said(await http.post(path, json={})) == (404, "Cluster does not exist")


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("b%20d", b"{}", (412, "Cluster name is not valid")),
        ("c", b"", (400, "cluster data is required")),
        (
            "c",
            b'{"serviceUrl": 5}',
            (400, "Illegal service url, example: http://pulsar.example.com:8080"),
        ),
        (
            "c",
            b'{"serviceUrl": "pulsar://x"}',
            (400, "Illegal service url, example: http://pulsar.example.com:8080"),
        ),
        (
            "c",
            b'{"serviceUrl": "http://[x"}',
            (400, "Illegal service url, example: http://pulsar.example.com:8080"),
        ),
    ],
)
async def test_clusters_that_are_none(
    http: Http, name: str, body: bytes, said: tuple[int, str]
) -> None:
    headers = {"Content-Type": "application/json"}
    response = await http.put(f"{ADMIN}/clusters/{name}", data=body, headers=headers)
    assert await _said(response) == said


async def test_a_cluster_in_use_stays(http: Http) -> None:
    response = await http.delete(f"{ADMIN}/clusters/standalone")
    assert await _said(response) == (412, "Cluster not empty")


async def test_life_of_a_tenant(http: Http) -> None:
    path = f"{ADMIN}/tenants/t1"
    assert await _said(await http.put(path, json=TENANT)) == (204, "")
    assert await _said(await http.put(path, json=TENANT)) == (409, "Tenant already exist")
    assert await (await http.get(path)).json() == TENANT
    assert (await http.post(path, json={**TENANT, "adminRoles": ["b"]})).status == 204
    assert (await (await http.get(path)).json())["adminRoles"] == ["b"]
    assert (await http.put(f"{ADMIN}/namespaces/t1/n")).status == 204
    assert await _said(await http.delete(path)) == (409, "The tenant still has active namespaces")
    assert (await http.delete(f"{ADMIN}/namespaces/t1/n")).status == 204
    assert await _said(await http.delete(f"{path}?force=true")) == (
        405,
        "Broker doesn't allow forced deletion of tenants",
    )
    assert await _said(await http.delete(path)) == (204, "")
    assert await _said(await http.delete(path)) == (404, "Tenant doesn't exist")
    assert await _said(await http.post(path, json=TENANT)) == (404, "Tenant t1 not found")


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("t", b'{"allowedClusters": ["nope"]}', (412, "Clusters do not exist")),
        ("t", b'{"allowedClusters": []}', (412, "Clusters cannot be empty or blank")),
        ("t", b"", (412, "TenantInfo is null")),
        ("t", b'{"x": 1}', (412, "Clusters cannot be null")),
        (
            "t",
            b'{"adminRoles": [" x"], "allowedClusters": ["standalone"]}',
            (412, "AdminRoles contains whitespace in the beginning or end."),
        ),
        (
            "t%20t",
            b'{"allowedClusters": ["standalone"]}',
            (412, "Tenant name is not valid"),
        ),
        (
            "t",
            b'{"allowedClusters": 5}',
            (400, "adminRoles and allowedClusters are lists of names"),
        ),
    ],
)
async def test_tenants_that_are_none(
    http: Http, name: str, body: bytes, said: tuple[int, str]
) -> None:
    headers = {"Content-Type": "application/json"}
    response = await http.put(f"{ADMIN}/tenants/{name}", data=body, headers=headers)
    assert await _said(response) == said


@pytest.mark.parametrize("name", ["public%2Fdefault", "%2e%2e", "%2e%2e%2fpolicies%2fpublic"])
async def test_a_name_is_no_path_to_other_records(http: Http, name: str) -> None:
    for path in (f"{ADMIN}/tenants/{name}", f"{ADMIN}/clusters/{name}"):
        for method in (http.get, http.delete):
            response = await method(URL(path, encoded=True))
            assert response.status == 412, path
    assert (await http.get(f"{ADMIN}/namespaces/public/default")).status == 200
