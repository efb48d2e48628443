"""Lookup over HTTP."""

from typing import Any

import pytest

Http = Any


async def test_lookup(http: Http) -> None:
    response = await http.get("/lookup/v2/topic/persistent/public/default/x")
    assert await response.json() == {
        "brokerUrl": "pulsar://localhost:6650",
        "httpUrl": "http://localhost:8080",
        "nativeUrl": "pulsar://localhost:6650",
        "brokerUrlSsl": "",
    }


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("persistent/public/none/x", 404, "Namespace not found"),
        ("other/public/default/x", 412, "other"),
        ("persistent/public/default/x?listenerName=foo", 503, "do not have foo listener"),
    ],
)
async def test_refused(http: Http, path: str, status: int, reason: str) -> None:
    response = await http.get(f"/lookup/v2/topic/{path}")
    assert response.status == status
    assert reason in (await response.json())["reason"]


async def test_listener_in_a_header(http: Http) -> None:
    response = await http.get(
        "/lookup/v2/topic/persistent/public/default/x", headers={"X-Pulsar-ListenerName": "foo"}
    )
    assert response.status == 503
