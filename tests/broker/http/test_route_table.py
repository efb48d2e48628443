"""The table of calls: order, rows, and where authorisation sits."""

import re
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from magnetar_broker.errors import NotAuthorizedError
from magnetar_broker.http.api import add_routes, route_table
from magnetar_broker.http.route_table import Permission, Row, bare, in_order, plain, variables

from tests.broker.conftest import Broker


async def _nothing(group: Any, request: web.Request) -> web.Response:
    return web.Response()


def _row(path: str, method: str = "GET") -> Row:
    return Row(method=method, path=path, summary="", handler=_nothing)


def test_fixed_parts_go_first() -> None:
    paths = ["/{a}/{b}", "/x/{b}", "/{a:0x[0-9a-f]{8}}/{b}", "/x/y", "/{a}/{b}/z"]
    ordered = [row.path for row in in_order([_row(path) for path in paths])]
    assert ordered == ["/x/y", "/x/{b}", "/{a:0x[0-9a-f]{8}}/{b}", "/{a}/{b}", "/{a}/{b}/z"]


def test_paths() -> None:
    path = "/{domain:persistent|non-persistent}/{topic}/{bundle:0x[0-9a-f]{8}}"
    assert plain(path) == "/{domain}/{topic}/{bundle}"
    assert bare(path) == "/{}/{}/{}"
    assert variables(path) == {
        "domain": "persistent|non-persistent",
        "topic": "",
        "bundle": "0x[0-9a-f]{8}",
    }


def test_no_call_stands_twice() -> None:
    keys = [row.key for row in route_table()]
    assert sorted(keys) == sorted(set(keys))


def test_every_row_is_described() -> None:
    for row in route_table():
        assert row.summary, row.path
        assert not row.summary.endswith("."), row.path
        assert all(re.compile(expression) for expression in variables(row.path).values())


@pytest.fixture
async def guarded(broker: Broker) -> Any:
    """Asks a broker that lets only those in who need no permission."""

    async def authorise(request: web.Request, row: Row) -> None:
        if row.permission is not Permission.ANYONE:
            raise NotAuthorizedError(f"You are not {row.permission.value}")

    application = web.Application()
    add_routes(application, broker.service, authorise)
    async with TestClient(TestServer(application)) as client:
        yield client


async def test_authorisation_sits_before_each_handler(guarded: Any, broker: Broker) -> None:
    assert (await guarded.get("/admin/v2/brokers/health")).status == 200
    response = await guarded.put("/admin/v2/persistent/public/default/x")
    assert response.status == 403
    assert await response.json() == {"reason": "You are not administrator of the tenant"}
    assert not broker.opened
