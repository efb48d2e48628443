"""The HTTP server shell: health, metrics, and who may ask. Needs the extra `server` or `http`.

Nothing here asks for a password, so a server on loopback answers only what names loopback as its
host: otherwise any web page that a developer opens could reach his broker (by a foreign origin, or
by a DNS name that is rebound to 127.0.0.1).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from magnetar_runtime import metrics
from magnetar_runtime.clock import Clock
from magnetar_runtime.counters import Counters
from magnetar_runtime.network import address_text, bound_sockets, is_loopback

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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
    ) -> None:
        self._hosts = list(hosts)
        self._port = port
        self._counters = counters
        self._clock = clock
        self._runner: web.AppRunner | None = None
        self.addresses: list[str] = []
        guards = [_only_from_this_machine] if all(map(is_loopback, self._hosts)) else []
        self.application = web.Application(client_max_size=max_body_bytes, middlewares=guards)
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

    async def _metrics(self, _request: web.Request) -> web.Response:
        text = await metrics.render(self._counters, self._clock)
        return web.Response(body=text.encode(), headers={"Content-Type": metrics.CONTENT_TYPE})


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


@web.middleware
async def _only_from_this_machine(request: web.Request, handler: _Handler) -> web.StreamResponse:
    refusal = refusal_of(request.headers.getall("Host", []), request.headers.getall("Origin", []))
    if refusal:
        return web.Response(status=403, text=refusal)
    return await handler(request)


def refusal_of(hosts: Sequence[str], origins: Sequence[str]) -> str | None:
    """Why a request to a loopback server is refused; None if it is not.

    An origin is foreign unless it is the very server that is asked.
    """
    if len(hosts) != 1 or not is_loopback(_without_port(hosts[0])):
        return "the Host header does not name this machine"
    if any(origin not in (f"http://{hosts[0]}", f"https://{hosts[0]}") for origin in origins):
        return "requests from other origins are refused"
    return None


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
