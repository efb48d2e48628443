"""The HTTP shell: its own routes, and who is refused. Real sockets on loopback."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from magnetar_runtime import http
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.counters import Counters, Family, Kind, Rows
from magnetar_runtime.http import Answer, HttpServer


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
    async with client.head(f"{base}/metrics") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
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


async def test_every_route_of_an_open_server_refuses_pages_that_would_change_something(
    client: aiohttp.ClientSession,
) -> None:
    server = HttpServer(["0.0.0.0"], 0, counters=Counters(), clock=SystemClock())
    await server.start()
    url = f"http://127.0.0.1:{server.addresses[0].rpartition(':')[2]}"
    page = {"Origin": "http://page.example"}
    for path in ("/metrics", "/health", "/no/such/path"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            async with client.request(method, url + path, headers=page) as answer:
                assert answer.status == 403
        async with client.get(url + path, headers={**page, "Upgrade": "websocket"}) as answer:
            assert answer.status == 403
    await server.stop()


async def test_a_get_that_acts_is_refused_to_pages_on_an_open_server(
    client: aiohttp.ClientSession,
) -> None:
    server = HttpServer(["0.0.0.0"], 0, counters=Counters(), clock=SystemClock())

    @http.acts
    async def taken(_request: web.Request) -> web.Response:
        return web.Response(text="taken")

    server.application.router.add_get("/taken", taken)
    await server.start()
    try:
        url = f"http://127.0.0.1:{server.addresses[0].rpartition(':')[2]}/taken"
        async with client.get(url) as answer:
            assert await answer.text() == "taken"
        for page in ({"Origin": "http://page.example"}, {"Host": "rebound.example"}):
            async with client.get(url, headers=page) as answer:
                assert (answer.status, "taken" in await answer.text()) == (403, False)
        browser = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}
        own = url.removesuffix("taken")
        for page, status in (
            ({}, 403),
            ({"Referer": "http://x.example/"}, 403),
            ({"Referer": own}, 200),
        ):
            async with client.get(url, headers=browser | page) as answer:
                assert answer.status == status
        async with client.get(own + "health", headers=browser) as answer:
            assert answer.status == 200  # it only reads
    finally:
        await server.stop()


async def test_pages_of_allowed_origins_may_ask_and_see_the_answer(
    client: aiohttp.ClientSession,
) -> None:
    origin = "https://console.example"
    server = HttpServer(
        ["127.0.0.1"], 0, counters=Counters(), clock=SystemClock(), allowed_origins=origin
    )
    server.add_text("/text", lambda: "x")
    await server.start()
    url = f"http://{server.addresses[0]}/text"
    async with client.get(url, headers={"Origin": origin}) as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == origin
    asks = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    async with client.options(url, headers=asks) as answer:
        assert answer.status == 204
        assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    async with client.options(url, headers={**asks, "Origin": "https://page.example"}) as answer:
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers
    await server.stop()


class Long:
    """Metrics of 32 MB, more than sockets take that nobody reads."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def __call__(self) -> Iterator[Family]:
        row = Rows([f'{{a="{"x" * (1 << 20)}"}}'], [1])
        try:
            for number in range(32):
                yield Family(f"long_{number}", Kind.GAUGE, "Long.", row)
        finally:
            self.ended.set()


@asynccontextmanager
async def half_asked(long: Long) -> AsyncIterator[asyncio.StreamWriter]:
    """A scraper that has read the beginning of its answer and reads no more."""
    counters = Counters()
    counters.add_source(long)
    server = HttpServer(["127.0.0.1"], 0, counters=counters, clock=SystemClock())
    await server.start()
    host, _, port = server.addresses[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    try:
        writer.write(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        yield writer
    finally:
        writer.transport.abort()
        await server.stop()


async def test_a_scraper_that_goes_away_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    long = Long()
    async with half_asked(long) as scraper:
        await asyncio.sleep(0.1)  # until all buffers are full
        assert not long.ended.is_set()
        scraper.transport.abort()
        await asyncio.wait_for(long.ended.wait(), 5)
        await asyncio.sleep(0)
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


async def test_a_scraper_that_does_not_read_is_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Scenario: each scrape that hangs kept the rows of its metrics for ever."""
    monkeypatch.setattr(http, "_SCRAPER_TIMEOUT_S", 0.05)
    long = Long()
    async with half_asked(long):
        await asyncio.wait_for(long.ended.wait(), 5)
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []
