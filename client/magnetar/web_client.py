"""GET from brokers, for clients that look topics up over HTTP."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, cast
from urllib.parse import urljoin, urlsplit
from weakref import WeakValueDictionary

from magnetar_proto.errors import ProtocolError
from magnetar_runtime.network import Network

from magnetar.authentication import Authentication
from magnetar.connection import CLIENT_VERSION
from magnetar.errors import ConnectError, InvalidUrl, LookupError, Timeout
from magnetar.service_url import WebAddress
from magnetar.web_messages import Answer, AnswerReader, get_request

MAX_REDIRECTS: Final = 20
MAX_CONNECTIONS: Final = 16
_BUFFER_BYTES: Final = 1 << 16
_REDIRECTS: Final = (301, 302, 303, 307, 308)


class WebClient:
    """One connection per question, a few at a time to each address.

    Args:
        tls_context: for `https`.
        connection_timeout_ms: for connecting.
        timeout_s: for the answer, with waiting in line and connecting.
    """

    def __init__(
        self,
        network: Network,
        authentication: Authentication,
        tls_context: Callable[[], ssl.SSLContext],
        connection_timeout_ms: int,
        timeout_s: float,
    ) -> None:
        self._network = network
        self._authentication = authentication
        self._tls_context = tls_context
        self._connect_timeout_s = connection_timeout_ms / 1000
        self._timeout_s = timeout_s
        # One of each address that is asked just now.
        self._lines: WeakValueDictionary[WebAddress, asyncio.Semaphore] = WeakValueDictionary()

    async def get(self, address: WebAddress, target: str, what: str) -> Answer:
        """The answer of the broker that others send on to.

        Args:
            target: path and query, encoded.
            what: is asked for, for messages to people.

        Raises:
            PulsarException: there is no answer. A refusal is one.
        """
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._ask(address, target, what)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not location:
                return answer
            address, target = redirected(address, target, location, what)
        raise LookupError(f"{what}: sent on more than {MAX_REDIRECTS} times")

    async def _ask(self, address: WebAddress, target: str, what: str) -> Answer:
        # Asked each time: a token may have been renewed since.
        headers = {"User-Agent": CLIENT_VERSION, **await self._authentication.http_headers()}
        request = get_request(address.authority, target, headers)
        line = self._lines.setdefault(address, asyncio.Semaphore(MAX_CONNECTIONS))
        try:
            async with asyncio.timeout(self._timeout_s), line:
                return await self._exchange(address, request)
        except TimeoutError as error:
            raise Timeout(f"{what}: no answer from {address} in {self._timeout_s:g} s") from error

    async def _exchange(self, address: WebAddress, request: bytes) -> Answer:
        exchange = await self._connect(address)
        try:
            return await exchange.ask(request)
        except ProtocolError as error:
            raise ConnectError(f"{address} sent what is no HTTP: {error}") from error
        except OSError as error:
            raise ConnectError(f"connection to {address} lost: {error}") from error
        finally:
            exchange.abort()

    async def _connect(self, address: WebAddress) -> "_Exchange":
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                context = self._tls_context() if address.tls else None
                _, protocol = await self._network.connect(
                    _Exchange, address.host, address.port, context
                )
        except TimeoutError as error:
            raise ConnectError(
                f"{address}: no connection in {self._connect_timeout_s:g} s"
            ) from error
        except (OSError, UnicodeError) as error:  # the latter: a name that no host can have
            raise ConnectError(f"{address}: {error}") from error
        return cast(_Exchange, protocol)


def redirected(
    address: WebAddress, target: str, location: str, what: str
) -> tuple[WebAddress, str]:
    """Where a broker sends to.

    Raises:
        LookupError: it cannot be read, or who this is would go out in clear.
    """
    try:
        url = urljoin(f"{address}{target}", location)
        found = WebAddress.parse(url)
        parts = urlsplit(url)
    except (InvalidUrl, ValueError) as error:
        raise LookupError(f"{what}: sent on to {location!r}, which is no address") from error
    if address.tls and not found.tls:
        raise LookupError(f"{what}: {address} sends on to {found}, without TLS; that is refused")
    if not url.isascii() or any(not 32 < ord(each) < 127 for each in url):
        raise LookupError(f"{what}: sent on to {location!r}, which is no address")
    return found, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


class _Exchange(asyncio.BufferedProtocol):
    """One question and its answer."""

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._reader = AnswerReader()
        self._answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    async def ask(self, request: bytes) -> Answer:
        if self._transport is not None:
            self._transport.write(request)
        return await self._answer

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._answer.cancel()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._answer.done():
            return
        try:
            answer = self._reader.feed(self._buffer[:nbytes])
        except ProtocolError as error:
            self._fail(error)
        else:
            if answer is not None:
                self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer.done():
            return
        if exc is not None:
            self._fail(exc)
            return
        try:
            self._answer.set_result(self._reader.end())
        except ProtocolError as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._answer.set_exception(error)
        self._answer.exception()  # it may be that nobody waits any more
