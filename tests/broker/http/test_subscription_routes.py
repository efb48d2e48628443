"""Subscriptions over HTTP."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from magnetar_ledger.position import Position

from tests.broker.http.conftest import Broker

Http = TestClient[web.Request, web.Application]
BASE = "/admin/v2/persistent/public/default/x"


async def test_statuses(http: Http) -> None:
    assert (await http.get(f"{BASE}/subscriptions")).status == 404
    path = f"{BASE}/subscription/a%2Fb"
    assert (await http.put(path, json="earliest")).status == 204
    response = await http.put(path, json="earliest")
    assert (response.status, await response.json()) == (
        409,
        {"reason": "Subscription already exists for topic"},
    )
    assert await (await http.get(f"{BASE}/subscriptions")).json() == ["a/b"]
    assert (await http.delete(path)).status == 204
    response = await http.delete(path)
    assert (response.status, await response.json()) == (
        404,
        {
            "reason": "Subscription a/b not found for topic persistent://public/default/x",
        },
    )


async def test_non_persistent_topics_have_none_without_consumers(http: Http) -> None:
    path = "/admin/v2/non-persistent/public/default/x/subscription/s"
    assert (await http.put(path, json="latest")).status == 405


@pytest.mark.parametrize(
    ("body", "earliest", "start"),
    [
        (None, False, None),
        ("latest", False, None),
        ("earliest", True, None),
        ({"ledgerId": 3, "entryId": 4, "partitionIndex": -1}, False, Position(3, 4)),
        ({"ledgerId": "3", "entryId": "4", "isExcluded": True}, False, Position(3, 5)),
        ({"ledgerId": 2**63 - 1, "entryId": 2**63 - 1}, False, None),
    ],
)
async def test_where_it_begins(
    http: Http,
    broker: Broker,
    monkeypatch: pytest.MonkeyPatch,
    body: Any,
    earliest: bool,
    start: Position | None,
) -> None:
    calls: list[dict[str, Any]] = []

    async def create(*_: Any, **fields: Any) -> None:
        calls.append(fields)

    monkeypatch.setattr(broker.service.admin, "create_subscription", create)
    response = await http.put(f"{BASE}/subscription/s", json=body)
    assert response.status == 204
    assert calls == [{"earliest": earliest, "start": start}]


@pytest.mark.parametrize(("name", "body", "status"), [("s", {"a": 1}, 400), ("s", 7, 400)])
async def test_refused(http: Http, name: str, body: Any, status: int) -> None:
    assert (await http.put(f"{BASE}/subscription/{name}", json=body)).status == status
