"""Topics and their partitions over HTTP."""

from typing import Any

import pytest
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.conftest import Broker

Http = Any
BASE = "/admin/v2/persistent/public/default"


async def test_create_and_delete(http: Http, broker: Broker) -> None:
    response = await http.put(f"{BASE}/a%20b%3F")
    assert response.status == 204
    assert (await http.put(f"{BASE}/a%20b%3F")).status == 409
    names = ["persistent://public/default/a b?"]
    assert await (await http.get(BASE)).json() == names
    path = "/admin/v2/namespaces/public/default/topics"
    assert await (await http.get(path)).json() == names
    assert await (await http.get(f"{BASE}/a%20b%3F/partitions")).json() == {
        "partitions": 0,
        "deleted": False,
    }
    assert (await http.delete(f"{BASE}/a%20b%3F")).status == 204
    assert await (await http.get(BASE)).json() == []
    response = await http.delete(f"{BASE}/a%20b%3F")
    assert response.status == 404
    assert "a b?" in (await response.json())["reason"]


async def test_delete_of_a_topic_in_use(http: Http, broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    assert (await http.delete(f"{BASE}/x")).status == 412
    assert (await http.delete(f"{BASE}/x?force=true")).status == 204
    assert isinstance((await client.turn())[0], api.CommandCloseProducer)


async def test_subscription_without_consumers_does_not_keep_a_topic(
    http: Http, broker: Broker
) -> None:
    client = await broker.client()
    name = "non-persistent://public/default/x"
    subscribe = api.CommandSubscribe(
        topic=name, subscription="s", subType=1, consumer_id=1, request_id=1
    )
    await client.ask(subscribe)
    path = "/admin/v2/non-persistent/public/default"
    assert (await http.delete(f"{path}/x")).status == 412
    await client.ask(api.CommandCloseConsumer(consumer_id=1, request_id=2))
    assert (await http.delete(f"{path}/x")).status == 204


async def test_non_persistent_topics(http: Http, broker: Broker) -> None:
    path = "/admin/v2/non-persistent/public/default"
    client = await broker.client()
    await client.produce("non-persistent://public/default/x", 1)
    assert (await http.put(f"{path}/y/partitions", json=2)).status == 204
    assert await (await http.get(f"{path}/y/partitions")).json() == {
        "partitions": 2,
        "deleted": False,
    }
    assert await (await http.get(path)).json() == ["non-persistent://public/default/x"]
    assert await (await http.get(f"{path}/partitioned")).json() == [
        "non-persistent://public/default/y"
    ]
    assert await (await http.get(BASE)).json() == []
    topics = "/admin/v2/namespaces/public/default/topics"
    assert await (await http.get(topics)).json() == []
    for mode in ("ALL", "NON_PERSISTENT"):
        listed = await (await http.get(f"{topics}?mode={mode}")).json()
        assert listed == ["non-persistent://public/default/x"]
    assert (await http.delete(f"{path}/x?force=true")).status == 204
    assert await (await http.get(path)).json() == []


async def test_partitions(http: Http) -> None:
    path = f"{BASE}/x/partitions"
    assert (await http.get(path)).status == 404
    response = await http.get(f"{path}?checkAllowAutoCreation=true")
    assert await response.json() == {"partitions": 0, "deleted": False}
    assert (await http.put(path, json=3)).status == 204
    assert (await http.put(path, json=3)).status == 409
    assert await (await http.get(path)).json() == {"partitions": 3, "deleted": False}
    assert await (await http.get(f"{BASE}/partitioned")).json() == ["persistent://public/default/x"]
    assert len(await (await http.get(BASE)).json()) == 3
    assert (await http.put(f"{BASE}/x")).status == 409
    assert (await http.put(f"{BASE}/x-partition-7")).status == 412
    assert (await http.delete(f"{BASE}/x")).status == 409
    assert (await http.delete(path)).status == 204
    assert (await http.delete(path)).status == 404
    assert await (await http.get(BASE)).json() == []


async def test_partitions_with_properties(http: Http) -> None:
    response = await http.put(
        f"{BASE}/x/partitions",
        data=b'{"partitions": 2, "properties": {"a": "b"}}',
        headers={"Content-Type": "application/vnd.partitioned-topic-metadata+json"},
    )
    assert response.status == 204
    assert (await (await http.get(f"{BASE}/x/partitions")).json())["partitions"] == 2


async def test_delete_of_partitions_in_use(http: Http, broker: Broker) -> None:
    assert (await http.put(f"{BASE}/x/partitions", json=2)).status == 204
    client = await broker.client()
    await client.produce("x-partition-1", 1)
    assert (await http.delete(f"{BASE}/x/partitions")).status == 412
    assert len(await (await http.get(BASE)).json()) == 2
    assert (await http.delete(f"{BASE}/x/partitions?force=true")).status == 204


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"{BASE}/x/partitions", b"0", 406),
        (f"{BASE}/x/partitions", b'"a"', 400),
        (f"{BASE}/x/partitions", b"2147483647", 400),
        (f"{BASE}/x/partitions", b"true", 400),
        (f"{BASE}/x/partitions", b"{}", 400),
        (f"{BASE}/x/partitions", b"", 415),
        (f"{BASE}/x-partition-1/partitions", b"2", 412),
        ("/admin/v2/persistent/public/none/x/partitions", b"2", 404),
    ],
)
async def test_partitions_that_cannot_be_made(
    http: Http, path: str, body: bytes, status: int
) -> None:
    headers = {"Content-Type": "application/json"}
    response = await http.put(path, data=body, headers=headers)
    assert response.status == status
    assert (await response.json())["reason"]


@pytest.mark.parametrize("path", ["", "/partitioned"])
async def test_lists_of_an_unknown_namespace(http: Http, path: str) -> None:
    response = await http.get(f"/admin/v2/persistent/public/none{path}")
    assert (response.status, await response.json()) == (
        404,
        {"reason": "Namespace does not exist"},
    )


async def test_growth(http: Http) -> None:
    path = f"{BASE}/x/partitions"
    assert (await http.put(path, json=2)).status == 204
    for count, status in [(3, 204), (3, 204), (2, 422), (0, 422), (-1, 422)]:
        response = await http.post(path, json=count)
        assert response.status == status
    assert (await response.json())["reason"] == (
        "Desired partitions -1 can't be less than the current partitions 3."
    )
    assert (await (await http.get(path)).json())["partitions"] == 3
    assert (await http.post(path, json={"a": 1})).status == 400
    assert (await http.post(path)).status == 400
    assert (await http.post(f"{BASE}/x-partition-1/partitions", json=5)).status == 412
    await http.put(f"{BASE}/plain")
    for local in ("none", "plain"):
        response = await http.post(f"{BASE}/{local}/partitions", json=5)
        assert (response.status, await response.json()) == (
            409,
            {"reason": f"Topic persistent://public/default/{local} is not the partitioned topic."},
        )
    assert (await http.post(f"{BASE}/x/createMissedPartitions")).status == 204


async def test_topics_with_names_of_partitions(http: Http) -> None:
    assert (await http.put(f"{BASE}/x/partitions", json=2)).status == 204
    for local, status in [("y-partition-0", 412), ("x-partition-2", 412), ("x-partition-a", 204)]:
        assert (await http.put(f"{BASE}/{local}")).status == status


async def test_unload(http: Http, broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    assert (await http.put(f"{BASE}/x/unload")).status == 204
    assert isinstance((await client.turn())[0], api.CommandCloseProducer)
    assert (await http.put(f"{BASE}/none/unload")).status == 404
    assert (await http.put(f"{BASE}/p/partitions", json=2)).status == 204
    assert (await http.put(f"{BASE}/p/unload")).status == 204
    assert not broker.service.topics.loaded


async def test_terminate(http: Http, broker: Broker) -> None:
    await http.put(f"{BASE}/x")
    await http.put(f"{BASE}/p/partitions", json=2)
    response = await http.post(f"{BASE}/x/terminate")
    assert response.status == 200
    assert await response.json() == {
        "ledgerId": broker.ledger("x").ledger_id,
        "entryId": -1,
        "partitionIndex": -1,
        "batchSize": 0,
        "batchIndex": -1,
    }
    response = await http.post(f"{BASE}/p/terminate/partitions")
    assert sorted(await response.json()) == ["0", "1"]
    for path, status in [
        ("persistent/public/default/none/terminate", 404),
        ("persistent/public/default/p/terminate", 405),
        ("persistent/public/default/x/terminate/partitions", 405),
        ("non-persistent/public/default/x/terminate", 406),
    ]:
        assert (await http.post(f"/admin/v2/{path}")).status == status


async def test_truncate(http: Http, broker: Broker) -> None:
    """Statuses as recorded of Pulsar 4.0.7."""
    await http.put(f"{BASE}/x")
    await http.put(f"{BASE}/p/partitions", json=2)
    await http.put("/admin/v2/non-persistent/public/default/np")
    for path, status in [
        ("persistent/public/default/x/truncate", 204),
        ("persistent/public/default/p/truncate", 204),
        ("persistent/public/default/p-partition-0/truncate", 204),
        ("persistent/public/default/p-partition-9/truncate", 404),
        ("persistent/public/default/none/truncate", 404),
        ("persistent/public/none/x/truncate", 404),
        ("non-persistent/public/default/np/truncate", 412),
        ("non-persistent/public/default/none/truncate", 412),
    ]:
        assert (await http.delete(f"/admin/v2/{path}")).status == status
    assert broker.ledger("x").truncated == 1
    assert broker.ledger("p-partition-0").truncated == 2
