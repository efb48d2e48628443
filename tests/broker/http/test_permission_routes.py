"""Permissions over HTTP: what is granted is kept in the policies, as Pulsar keeps it."""

from typing import Any

Http = Any
BASE = "/admin/v2/namespaces/public/default"
TOPIC = "/admin/v2/persistent/public/default/x"
NAME = "persistent://public/default/x"


async def _json(http: Http, path: str) -> Any:
    return await (await http.get(path)).json()


async def test_of_a_namespace(http: Http) -> None:
    path = f"{BASE}/permissions"
    assert (await http.post(f"{path}/r", json=["produce", "consume"])).status == 204
    assert (await http.post(f"{path}/q", json=["produce"])).status == 204
    assert await _json(http, path) == {"r": ["consume", "produce"], "q": ["produce"]}
    policies = await _json(http, BASE)
    assert policies["auth_policies"]["namespace_auth"]["q"] == ["produce"]
    assert (await http.delete(f"{path}/q")).status == 204
    assert (await http.delete(f"{path}/q")).status == 204
    assert await _json(http, path) == {"r": ["consume", "produce"]}
    assert (await http.post(f"{path}/q", json=["nonsense"])).status == 400
    response = await http.post(f"{path}/q")
    assert (response.status, (await response.json())["reason"]) == (
        400,
        "Actions should not be null",
    )
    response = await http.post("/admin/v2/namespaces/public/no/permissions/r", json=["produce"])
    assert (response.status, (await response.json())["reason"]) == (
        404,
        "Topic's namespace does not exist",
    )


async def test_of_a_subscription(http: Http) -> None:
    path = f"{BASE}/permissions/subscription"
    assert await _json(http, path) == {}
    assert (await http.post(f"{path}/s", json=["r5", "r4"])).status == 204
    assert await _json(http, path) == {"s": ["r4", "r5"]}
    assert (await http.delete(f"{BASE}/permissions/s/r5")).status == 204
    assert (await http.delete(f"{BASE}/permissions/s/r4")).status == 204
    assert await _json(http, path) == {}
    assert (await http.delete(f"{BASE}/permissions/s/r4")).status == 404
    assert (await http.post(f"{path}/s", json=[1])).status == 400


async def test_of_a_topic(http: Http) -> None:
    path = f"{TOPIC}/permissions"
    assert (await http.get(path)).status == 404
    assert (await http.post(f"{path}/r", json=["produce"])).status == 404
    assert (await http.put(TOPIC)).status == 204
    assert (await http.post(f"{path}/r", json=["produce"])).status == 204
    assert (await http.post(f"{BASE}/permissions/r", json=["consume"])).status == 204
    assert await _json(http, path) == {"r": ["consume", "produce"]}
    assert (await http.delete(f"{path}/r")).status == 204
    assert (await http.delete(f"{path}/r")).status == 204
    assert await _json(http, path) == {"r": ["consume"]}
    assert (await _json(http, BASE))["auth_policies"]["destination_auth"] == {}


async def test_of_many_topics(http: Http) -> None:
    assert (await http.put(TOPIC)).status == 204
    path = "/admin/v2/namespaces/{}PermissionsOnTopics"
    body = [{"topic": NAME, "role": "r", "actions": ["produce"]}]
    assert (await http.post(path.format("grant"), json=body)).status == 204
    assert await _json(http, f"{TOPIC}/permissions") == {"r": ["produce"]}
    assert (await http.post(path.format("revoke"), json=body)).status == 204
    assert await _json(http, f"{TOPIC}/permissions") == {}
    for wrong in ({}, [1], [{"topic": NAME}], None, [{"topic": 1, "role": 1, "actions": 1}]):
        assert (await http.post(path.format("grant"), json=wrong)).status in (400, 412), wrong
