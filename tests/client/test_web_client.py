"""Questions over HTTP: where they are sent on to, who asks, and what goes wrong."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from magnetar.authentication import NO_AUTHENTICATION, Authentication, AuthenticationToken
from magnetar.client_tls import TlsOptions
from magnetar.errors import ConnectError, ErrorGettingAuthenticationData, LookupError, Timeout
from magnetar.service_url import WebAddress
from magnetar.web_client import MAX_CONNECTIONS, MAX_REDIRECTS, WebClient, redirected
from magnetar_runtime.network import SystemNetwork
from magnetar_runtime.tls import server_context

from bench.servers import free_port
from tests.certificates import Authority
from tests.client.web_server import HANG, answer, web_server

HOST = "127.0.0.1"


def web_client(
    who: Authentication = NO_AUTHENTICATION,
    timeout_s: float = 5,
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
) -> WebClient:
    return WebClient(SystemNetwork(), who, tls, 5_000, timeout_s)


async def test_it_goes_where_it_is_sent_and_says_who_it_is_there_too() -> None:
    async with web_server(answer(200, "[]")) as second:
        location = f"http://{HOST}:{second.port}/other?a=b"
        async with web_server(
            answer(307, Location="/again"), answer(307, Location=location)
        ) as first:
            client = web_client(AuthenticationToken("secret"))
            got = await client.get(WebAddress(HOST, first.port), "/x?y=z", "what")
    assert (got.status, got.body) == (200, b"[]")
    assert first.targets == ["/x?y=z", "/again"]
    assert second.targets == ["/other?a=b"]
    assert not client._lines  # nothing is kept of addresses that nobody asks
    assert all(
        "\r\nAuthorization: Bearer secret\r\n" in head for head in first.asked + second.asked
    )


async def test_not_for_ever() -> None:
    async with web_server(*[answer(307, Location="/x")] * (MAX_REDIRECTS + 1)) as server:
        with pytest.raises(LookupError, match="more than"):
            await web_client().get(WebAddress(HOST, server.port), "/x", "what")


async def test_a_refusal_is_an_answer() -> None:
    async with web_server(answer(404, "{}"), answer(307)) as server:
        address = WebAddress(HOST, server.port)
        assert (await web_client().get(address, "/", "what")).status == 404
        assert (await web_client().get(address, "/", "what")).status == 307


def test_where_it_does_not_go() -> None:
    secure = WebAddress("a", 1, tls=True)
    assert redirected(secure, "/x", "https://b", "w") == (WebAddress("b", 443, tls=True), "/")
    for location, why in [
        ("http://a:1/x", "without TLS"),
        ("ftp://a/", "no address"),
        ("https://a:b/", "no address"),
        ("https://[a/", "no address"),
        ("/a b", "no address"),
        ("/\u00e9", "no address"),
    ]:
        with pytest.raises(LookupError, match=why):
            redirected(secure, "/", location, "what")


async def test_nobody_and_nothing_answers() -> None:
    with pytest.raises(ConnectError):
        await web_client().get(WebAddress(HOST, free_port()), "/", "what")
    async with web_server(HANG, b"", b"SSH-2.0\r\n\r\n") as server:
        address = WebAddress(HOST, server.port)
        with pytest.raises(Timeout, match=r"what: no answer from http://127.* in 0.1 s"):
            await web_client(timeout_s=0.1).get(address, "/", "what")
        with pytest.raises(ConnectError, match="before its end"):
            await web_client().get(address, "/", "what")
        with pytest.raises(ConnectError, match="no HTTP"):
            await web_client().get(address, "/", "what")


async def test_a_host_that_hangs_holds_up_no_other() -> None:
    hanging = web_server(*[HANG] * MAX_CONNECTIONS)
    async with hanging as dead, web_server(answer(200, "[]")) as healthy:
        client, address = web_client(timeout_s=60), WebAddress(HOST, dead.port)
        asking = [
            asyncio.create_task(client.get(address, "/", "what")) for _ in range(MAX_CONNECTIONS)
        ]
        while len(dead.asked) < MAX_CONNECTIONS:
            await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            got = await client.get(WebAddress(HOST, healthy.port), "/", "what")
            assert got.status == 200
            client._timeout_s = 0.1
            with pytest.raises(Timeout, match="no answer"):  # in line
                await client.get(address, "/", "what")
        for task in asking:
            assert not task.done()
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def test_a_token_that_is_no_header() -> None:
    client = web_client(AuthenticationToken("secret\r\nHost: x"))
    with pytest.raises(ErrorGettingAuthenticationData, match="line break"):
        await client.get(WebAddress(HOST, 1), "/", "what")


async def test_the_certificate_is_checked(tmp_path: Path) -> None:
    files = Authority.make(tmp_path).issue("broker")
    trusting = TlsOptions(trusted=files.trusted).context
    async with web_server(answer(200, "[]"), tls=server_context(files)) as server:
        address = WebAddress("localhost", server.port, tls=True)
        assert (await web_client(tls=trusting).get(address, "/", "what")).body == b"[]"
        with pytest.raises(ConnectError, match="certificate verify failed"):
            await web_client(tls=TlsOptions().context).get(address, "/", "what")
