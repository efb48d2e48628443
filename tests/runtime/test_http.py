"""The HTTP shell: its own routes, and who is refused. Real sockets on loopback."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.counters import Counters
from magnetar_runtime.http import Answer, HttpServer, refusal_of


@pytest_asyncio.fixture
async def server() -> AsyncIterator[HttpServer]:
    counters = Counters()
    counters.counter("asked_total", "Asked.").value = 4
    server = HttpServer(["127.0.0.1"], 0, counters=counters, clock=SystemClock())

    async def added(_request: web.Request) -> web.Response:
        return web.Response(text="added")

    server.application.router.add_get("/added", added)
    server.add_text("/text", lambda: "as it is")
    server.add_json("/json", lambda: {"a": 1})

    async def taken(body: bytes) -> Answer:
        return Answer({"got": body.decode()}) if body else Answer("nothing given", 400)

    server.add_answer("PUT", "/json", taken)
    await server.start()
    yield server
    await server.stop()
    await server.stop()


@pytest_asyncio.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_answers_health_metrics_and_added_routes(
    server: HttpServer, client: aiohttp.ClientSession
) -> None:
    base = f"http://{server.addresses[0]}"
    async with client.get(f"{base}/health") as answer:
        assert await answer.text() == "ok"
    async with client.get(f"{base}/metrics") as answer:
        assert "asked_total 4\n" in await answer.text()
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    async with client.get(f"{base}/added") as answer:
        assert await answer.text() == "added"
    async with client.get(f"{base}/text") as answer:
        assert await answer.text() == "as it is"
    async with client.get(f"{base}/json") as answer:
        assert await answer.json() == {"a": 1}


async def test_a_body_is_answered_with_json_or_text(
    server: HttpServer, client: aiohttp.ClientSession
) -> None:
    url = f"http://{server.addresses[0]}/json"
    async with client.put(url, data=b"abc") as answer:
        assert await answer.json() == {"got": "abc"}
    async with client.put(url) as answer:
        assert (answer.status, await answer.text()) == (400, "nothing given")
    async with client.post(url, data=b"abc") as answer:
        assert answer.status == 405


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
async def test_refuses_web_pages(
    server: HttpServer, client: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    async with client.get(f"http://{server.addresses[0]}/added", headers=headers) as answer:
        assert answer.status == 403


async def test_a_server_that_is_open_to_others_takes_any_host(
    client: aiohttp.ClientSession,
) -> None:
    server = HttpServer(["0.0.0.0"], 0, counters=Counters(), clock=SystemClock())
    await server.start()
    port = server.addresses[0].rpartition(":")[2]
    headers = {"Host": "broker.example", "Origin": "http://console.example"}
    async with client.get(f"http://127.0.0.1:{port}/health", headers=headers) as answer:
        assert answer.status == 200
    await server.stop()


@pytest.mark.parametrize(
    ("hosts", "origins", "allowed"),
    [
        (["localhost:8080"], [], True),
        (["localhost"], [], True),
        (["127.0.0.1:8080"], [], True),
        (["[::1]:8080"], [], True),
        (["[::1]"], [], True),
        (["localhost:8080"], ["http://localhost:8080"], True),
        (["localhost:8080"], ["http://localhost:3000"], False),
        (["localhost:8080"], ["null"], False),
        (["localhost:8080"], ["http://localhost:8080", "http://evil.example"], False),
        (["localhost.evil.example"], [], False),
        (["evil.example:8080"], ["http://evil.example:8080"], False),
        (["[::2]:8080"], [], False),
        ([], [], False),
        (["localhost", "evil.example"], [], False),
    ],
)
def test_who_is_refused(hosts: list[str], origins: list[str], allowed: bool) -> None:
    assert (refusal_of(hosts, origins) is None) is allowed
