"""Subscriptions over HTTP."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from magnetar_broker.cursor_reset import Place
from magnetar_ledger.position import EARLIEST, LATEST, Position

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
        ({"ledgerId": "3", "entryId": "4", "excluded": True}, False, Position(3, 4)),
        ({"ledgerId": -1, "entryId": -1}, True, None),
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


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("latest", Place(LATEST)),
        ("earliest", Place(EARLIEST)),
        ({"ledgerId": 3, "entryId": 4, "foo": 1}, Place(Position(3, 4))),
        (
            {"ledgerId": 3, "entryId": 4, "batchIndex": 2, "excluded": True},
            Place(Position(3, 4), 2, excluded=True),
        ),
    ],
)
async def test_reset_to_a_place(
    http: Http, broker: Broker, monkeypatch: pytest.MonkeyPatch, body: Any, place: Place
) -> None:
    calls: list[tuple[str, str, Place]] = []

    async def reset(name: Any, subscription: str, to: Place) -> None:
        calls.append((str(name), subscription, to))

    monkeypatch.setattr(broker.service.admin, "reset_to_place", reset)
    response = await http.post(f"{BASE}/subscription/a%2Fb/resetcursor", json=body)
    assert response.status == 204
    assert calls == [("persistent://public/default/x", "a/b", place)]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("sub/resetcursor", None, 400),
        ("sub/resetcursor", 7, 400),
        ("sub/resetcursor", {}, 400),
        ("sub/resetcursor", "middle", 400),
        ("sub/resetcursor", {"ledgerId": "x", "entryId": 4}, 400),
        ("sub/resetcursor", {"ledgerId": 1, "entryId": 4, "batchIndex": "x"}, 400),
        ("sub/resetcursor/abc", None, 404),
        ("none/resetcursor/1", None, 404),
        ("none/resetcursor", "earliest", 404),
        ("sub/resetcursor", {"ledgerId": float("inf"), "entryId": 4}, 400),
        ("sub/resetcursor", {"ledgerId": 1, "entryId": 2**63}, 400),
        ("sub/resetcursor/99999999999999999999", None, 404),
    ],
)
async def test_refused_resets(http: Http, path: str, body: Any, status: int) -> None:
    assert (await http.put(f"{BASE}/subscription/sub", json="latest")).status == 204
    assert (await http.post(f"{BASE}/subscription/{path}", json=body)).status == status


@pytest.mark.parametrize("time_ms", [1, 0, -1, 2**63 - 1])
async def test_reset_to_a_time(
    http: Http, broker: Broker, monkeypatch: pytest.MonkeyPatch, time_ms: int
) -> None:
    calls: list[tuple[str, str, int]] = []

    async def reset(name: Any, subscription: str, to_ms: int) -> None:
        calls.append((str(name), subscription, to_ms))

    monkeypatch.setattr(broker.service.admin, "reset_to_time", reset)
    response = await http.post(f"{BASE}/subscription/s/resetcursor/{time_ms}")
    assert response.status == 204
    assert calls == [("persistent://public/default/x", "s", time_ms)]


async def test_reset_of_topics_that_have_no_place(http: Http) -> None:
    none = BASE.replace("/x", "/none")
    assert (await http.post(f"{none}/subscription/s/resetcursor/1")).status == 404
    volatile = BASE.replace("/persistent", "/non-persistent")
    assert (await http.post(f"{volatile}/subscription/s/resetcursor/1")).status == 404
    response = await http.post(f"{volatile}/subscription/s/resetcursor", json="earliest")
    assert response.status == 405
