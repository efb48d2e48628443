"""Policies of namespaces over HTTP: answers as Apache Pulsar 4.0.7 gave them."""

from typing import Any

import pytest
from magnetar_broker.policies.defaults import broker_level
from magnetar_broker.policies.table import POLICIES, Policy
from magnetar_broker.policies.unbuilt import OF_NAMESPACES, Unbuilt

from tests.broker.conftest import Broker

Http = Any
SOME = {"subscriptionTypesEnabled": ["Shared"], "deduplicationEnabled": True}
N = "/admin/v2/namespaces/public/default"


async def text_of(http: Http, path: str) -> tuple[int, str]:
    response = await http.get(f"{N}/{path}")
    return response.status, await response.text()


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
async def test_set_read_and_unset(http: Http, broker: Broker, policy: Policy) -> None:
    value = broker_level(broker.service.config)[policy.name] or SOME.get(policy.name, 1)
    before = await text_of(http, policy.path)
    assert before == (200, "" if policy.unset is None else str(policy.unset))
    response = await http.post(f"{N}/{policy.path}", json=value)
    assert (response.status, await response.text()) == (204, "")
    assert await (await http.get(f"{N}/{policy.path}")).json() == value
    if value != policy.unset:
        kept = (await (await http.get(N)).json())[policy.key]
        assert kept == ({"standalone": value} if policy.of_cluster else value)
    assert (await http.delete(f"{N}/{policy.path}")).status == 204
    assert await text_of(http, policy.path) == before


@pytest.mark.parametrize("policy", OF_NAMESPACES, ids=lambda policy: policy.path)
async def test_what_is_not_built_is_not_kept(http: Http, policy: Unbuilt) -> None:
    before = await text_of(http, policy.path)
    response = await http.request(policy.method, f"{N}/{policy.path}", json={"other": 1})
    assert response.status == 501
    assert "is not built" in (await response.json())["reason"]
    if before[1]:
        held = await (await http.get(f"{N}/{policy.path}")).json()
        assert (await http.request(policy.method, f"{N}/{policy.path}", json=held)).status == 204
    assert (await http.delete(f"{N}/{policy.removal}")).status == 204
    assert await text_of(http, policy.path) == before


async def test_backlog_quotas(http: Http) -> None:
    path, age = f"{N}/backlogQuota", {"backlogQuotaType": "message_age"}
    size = {"limitSize": 1000, "limitTime": -1, "policy": "producer_exception"}
    assert await text_of(http, "backlogQuotaMap") == (200, "{}")
    assert (await http.post(path, json=size)).status == 204
    time = {"limitSize": -1, "limitTime": 100, "policy": "consumer_backlog_eviction"}
    assert (await http.post(path, json=time, params=age)).status == 204
    assert await (await http.get(f"{N}/backlogQuotaMap")).json() == {
        "destination_storage": {"limit": 1000, **size},
        "message_age": {"limit": -1, **time},
    }
    assert (await http.delete(path)).status == 204
    assert list(await (await http.get(f"{N}/backlogQuotaMap")).json()) == ["message_age"]
    assert (await http.delete(path, params=age)).status == 204
    assert await text_of(http, "backlogQuotaMap") == (200, "{}")


async def test_a_quota_above_what_is_retained(http: Http) -> None:
    kept = {"retentionTimeInMinutes": 10, "retentionSizeInMB": 10}
    assert (await http.post(f"{N}/retention", json=kept)).status == 204
    quota = {"limitSize": 11 << 20, "policy": "producer_exception"}
    response = await http.post(f"{N}/backlogQuota", json=quota)
    assert response.status == 412
    assert "exceeds configured retention quota" in (await response.json())["reason"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "messageTTL", b"-1", 412),
        ("POST", "messageTTL", b'"x"', 400),
        ("POST", "messageTTL", b"", 400),
        ("POST", "retention", b"[1]", 400),
        ("POST", "retention", b"", 204),
        ("POST", "retention", b"{", 400),
        ("POST", "backlogQuota", b'{"limitSize":1}', 400),
        ("POST", "backlogQuota?backlogQuotaType=x", b'{"policy":"producer_exception"}', 404),
        ("DELETE", "backlogQuota?backlogQuotaType=x", b"", 404),
        ("POST", "replication", b'["standalone"]', 204),
        ("POST", "replication", b'["other"]', 501),
        ("GET", "nothing", b"", 404),
    ],
)
async def test_refusals(http: Http, method: str, path: str, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    response = await http.request(method, f"{N}/{path}", data=body, headers=headers)
    assert response.status == status
    if status >= 400:
        assert (await response.json())["reason"]


async def test_a_body_that_is_not_said_to_be_json(http: Http) -> None:
    assert (await http.post(f"{N}/messageTTL", data=b"3")).status == 415


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "messageTTL"),
        ("DELETE", "messageTTL"),
        ("GET", "dispatchRate"),
        ("GET", "replication"),
    ],
)
async def test_a_namespace_that_is_not_there(http: Http, method: str, path: str) -> None:
    response = await http.request(method, f"/admin/v2/namespaces/public/none/{path}")
    assert (response.status, await response.json()) == (
        404,
        {"reason": "Namespace does not exist"},
    )


async def test_it_holds_at_once(http: Http, broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x")
    assert (await http.post(f"{N}/maxProducersPerTopic", json=7)).status == 204
    [topic] = broker.service.topics.loaded.values()
    assert topic.policies.max_producers == 7
