"""The HTTP server shell: health, metrics, and who may ask. Needs the extra `server` or `http`."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, TypeVar

from aiohttp import web
from aiohttp.typedefs import Middleware

from magnetar_runtime import metrics
from magnetar_runtime.clock import Clock
from magnetar_runtime.counters import Counters
from magnetar_runtime.http_doors import Asked, Doors, parse_origins, unsaid_origins
from magnetar_runtime.network import address_text, bound_sockets, is_loopback

log = logging.getLogger(__name__)

_SCRAPER_TIMEOUT_S: Final = 30.0
"""Who takes nothing of an answer for so long gets no more of it."""
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HandlerT = TypeVar("_HandlerT", bound=_Handler)
_ACTS: Final = "__acts__"


def acts(handler: _HandlerT) -> _HandlerT:
    """Mark what answers a GET and does more than read: foreign web pages may not ask for it."""
    setattr(handler, _ACTS, True)
    return handler


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered: a text as it is, anything else as JSON."""

    value: object
    status: int = 200


AnswerTo = Callable[[bytes], Awaitable[Answer]]
"""Answers a request by its body."""


class HttpServer:
    """An aiohttp application on some hosts at one port.

    Routes are added to `application` before `start`.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        port: int,
        *,
        counters: Counters,
        clock: Clock,
        max_body_bytes: int = 1 << 20,
        allowed_origins: str = "",
        host_names: Sequence[str] = (),
    ) -> None:
        """
        Args:
            allowed_origins, host_names: see `Doors`; the former as in the configuration.

        Raises:
            ConfError: one of the allowed origins is none.
        """
        self._hosts = list(hosts)
        self._port = port
        self._counters = counters
        self._clock = clock
        self._runner: web.AppRunner | None = None
        self.addresses: list[str] = []
        doors = Doors(
            all(map(is_loopback, self._hosts)),
            parse_origins(allowed_origins),
            frozenset(name.lower() for name in (socket.gethostname(), *host_names)),
        )
        self.application = web.Application(
            client_max_size=max_body_bytes, middlewares=[_through(doors)]
        )
        self.application.on_response_prepare.append(_told_to_browsers(doors))
        for path in ("/metrics", "/metrics/"):  # Pulsar's own is at the second
            self.application.router.add_get(path, self._metrics)
        self.application.router.add_get("/health", _health)

    def add_text(self, path: str, text: Callable[[], str]) -> None:
        """Answer a GET with the text of now."""

        async def answer(_request: web.Request) -> web.Response:
            return web.Response(text=text())

        self.application.router.add_get(path, answer)

    def add_json(self, path: str, value: Callable[[], object]) -> None:
        """Answer a GET with the value of now, as JSON."""

        async def answer(_request: web.Request) -> web.Response:
            return web.json_response(value())

        self.application.router.add_get(path, answer)

    def add_answer(self, method: str, path: str, answer_to: AnswerTo) -> None:
        """Answer a method as `answer_to` says, given the request's body."""

        async def answer(request: web.Request) -> web.Response:
            given = await answer_to(await request.read())
            if isinstance(given.value, str):
                return web.Response(text=given.value, status=given.status)
            return web.json_response(given.value, status=given.status)

        self.application.router.add_route(method, path, answer)

    async def start(self) -> None:
        """Listen; OSError if the port is taken."""
        sockets = await bound_sockets(self._hosts, self._port)
        names = [sock.getsockname() for sock in sockets]
        self.addresses = [address_text(name[0], name[1]) for name in names]
        self._runner = web.AppRunner(self.application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        for sock in sockets:
            await web.SockSite(self._runner, sock).start()

    async def stop(self) -> None:
        """Close the sockets; requests in work get a second to end."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": metrics.CONTENT_TYPE})
        try:
            await response.prepare(request)
            if request.method != "HEAD":
                await self._write_metrics(response)
            async with asyncio.timeout(_SCRAPER_TIMEOUT_S):
                await response.write_eof()
        except (ConnectionError, TimeoutError) as error:
            log.info("%s does not take its metrics: %r", request.remote, error)
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _write_metrics(self, response: web.StreamResponse) -> None:
        # Closed at once: it holds the rows of a whole family.
        async with aclosing(metrics.render(self._counters, self._clock)) as texts:
            async for text in texts:
                async with asyncio.timeout(_SCRAPER_TIMEOUT_S):
                    await response.write(text.encode())


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


def _asked(request: web.Request) -> Asked:
    upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
    hosts, origins = request.headers.getall("Host", []), request.headers.getall("Origin", [])
    site = request.headers.get("Sec-Fetch-Site", "")
    more = getattr(request.match_info.handler, _ACTS, False)
    if more and not origins and not site:
        agent, referer = request.headers.get("User-Agent", ""), request.headers.get("Referer", "")
        origins = unsaid_origins(agent, referer)
    return Asked(request.method, hosts, origins, upgrade, site, acts=more)


def _through(doors: Doors) -> Middleware:
    """Lets through whom the doors let through; answers what browsers ask before they ask."""

    @web.middleware
    async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
        asked = _asked(request)
        refusal = doors.refusal(asked)
        if refusal:
            return web.Response(status=403, text=refusal)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return web.Response(status=204)
        return await handler(request)

    return guard


def _told_to_browsers(
    doors: Doors,
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(doors.headers(_asked(request)))

    return add_headers
