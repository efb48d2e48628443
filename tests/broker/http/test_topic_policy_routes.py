"""Policies of topics over HTTP: answers as Apache Pulsar 4.0.7 gave them."""

import json
from typing import Any

import pytest
from magnetar_broker.policies.defaults import broker_level
from magnetar_broker.policies.table import NO_CONTENT, POLICIES, Policy
from magnetar_broker.policies.unbuilt import OF_TOPICS, Unbuilt

from tests.broker.conftest import Broker

Http = Any
SOME = {"subscriptionTypesEnabled": ["Shared"]}
P = "/admin/v2/persistent/public/default"
T = f"{P}/x"
OF_TOPIC = [policy for policy in POLICIES if policy.topic_check is not None]


@pytest.fixture
async def topic(http: Http) -> str:
    assert (await http.put(T)).status == 204
    return T


def unset(value: Any) -> tuple[int, str]:
    if value is NO_CONTENT:
        return 204, ""
    return 200, "" if value is None else json.dumps(value)


async def text_of(http: Http, path: str) -> tuple[int, str]:
    response = await http.get(path)
    return response.status, await response.text()


@pytest.mark.parametrize("policy", OF_TOPIC, ids=lambda policy: policy.name)
async def test_set_read_and_unset(http: Http, broker: Broker, topic: str, policy: Policy) -> None:
    path = f"{topic}/{policy.name}"
    default = broker_level(broker.service.config)[policy.name]
    assert await text_of(http, path) == unset(policy.topic_unset)
    if policy.applies:
        assert await (await http.get(f"{path}?applied=true")).json() == default
    assert policy.topic_check is not None
    value = policy.topic_check(default or SOME.get(policy.name, 1))
    if policy.name == "messageTTL":
        response = await http.post(f"{path}?messageTTL={value}")
    else:
        response = await http.post(path, json=value)
    assert response.status == 204
    assert await (await http.get(path)).json() == value
    assert await (await http.get(f"{path}?applied=true")).json() == value
    assert (await http.delete(path)).status == 204
    assert await text_of(http, path) == unset(policy.topic_unset)


@pytest.mark.parametrize("policy", OF_TOPICS, ids=lambda policy: policy.path)
async def test_what_is_not_built_is_not_kept(http: Http, topic: str, policy: Unbuilt) -> None:
    path = f"{topic}/{policy.path}".replace("{subscription}", "s")
    response = await http.request(policy.method, path, json={"other": 1})
    assert response.status == 501
    assert await text_of(http, path) == unset(policy.unset)
    assert (await http.get(f"{path}?applied=true")).status in (200, 204)
    assert (await http.delete(path)).status == 204


async def test_what_holds_is_that_of_the_namespace_unless_the_topic_has_its_own(
    http: Http, topic: str
) -> None:
    await http.post("/admin/v2/namespaces/public/default/maxProducersPerTopic", json=7)
    path = f"{topic}/maxProducers"
    assert await text_of(http, f"{path}?applied=true") == (200, "7")
    assert await text_of(http, path) == (200, "")
    await http.post(path, json=3)
    assert await text_of(http, f"{path}?applied=true") == (200, "3")
    assert (await http.delete(f"{topic}/policies")).status == 204
    assert await text_of(http, f"{path}?applied=true") == (200, "7")


async def test_backlog_quotas(http: Http, topic: str) -> None:
    quota = {"limitSize": 1000, "limitTime": -1, "policy": "producer_exception"}
    none = {"limit": -1, "limitSize": -1, "limitTime": -1, "policy": "producer_request_hold"}
    path = f"{topic}/backlogQuotaMap"
    assert await text_of(http, path) == (200, "{}")
    holds = await (await http.get(f"{path}?applied=true")).json()
    assert holds == {"destination_storage": none, "message_age": none}
    assert (await http.post(f"{topic}/backlogQuota", json=quota)).status == 204
    for query in ("", "?applied=true"):
        found = await (await http.get(path + query)).json()
        assert found == {"destination_storage": {"limit": 1000, **quota}}
    assert (await http.delete(f"{topic}/backlogQuota")).status == 204
    assert await text_of(http, path) == (200, "{}")


async def test_it_holds_at_once(http: Http, broker: Broker, topic: str) -> None:
    assert (await http.post(f"{topic}/maxProducers", json=5)).status == 204
    [loaded] = broker.service.topics.loaded.values()
    assert loaded.policies.max_producers == 5


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        ("x/maxProducers", -1, 412, "maxProducers must be 0 or more"),
        ("x/maxMessageSize", 10**8, 412, "topic-level maxMessageSize must be"),
        ("x/messageTTL?messageTTL=-1", None, 412, "Invalid value for message TTL"),
        ("x/messageTTL?messageTTL=a", None, 400, "is no number"),
        ("x/maxProducers", None, 400, "cannot be empty"),
        ("x/maxProducers?isGlobal=true", 3, 501, "Policies of all clusters"),
        ("none/maxProducers", 3, 404, "Topic persistent://public/default/none not found"),
        ("p-partition-0/maxProducers", 3, 412, "Not allowed to set/get topic policy"),
    ],
)
async def test_refusals(
    http: Http, topic: str, path: str, body: Any, status: int, reason: str
) -> None:
    assert (await http.put(f"{P}/p/partitions", json=1)).status == 204
    response = await http.post(f"{P}/{path}", json=body)
    assert response.status == status
    assert reason in (await response.json())["reason"]


async def test_a_partitioned_topic_has_policies_and_a_namespace_that_is_not_there(
    http: Http,
) -> None:
    assert (await http.put(f"{P}/p/partitions", json=1)).status == 204
    assert (await http.post(f"{P}/p/maxProducers", json=3)).status == 204
    assert await text_of(http, f"{P}/p/maxProducers") == (200, "3")
    response = await http.get("/admin/v2/persistent/public/none/t/retention")
    assert (response.status, await response.json()) == (404, {"reason": "Namespace not found"})
