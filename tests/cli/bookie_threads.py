"""Bookie services on a loop of their own, for commands that make a loop themselves.

Each has metadata of its own, as a file of metadata is open in one place only; the commands see one
store in which all of them are registered.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from magnetar_cli import metadata_access
from magnetar_cli.bookie import BookieService, open_bookie_service
from magnetar_cli.main import cli
from magnetar_ledger.appends import Appends
from magnetar_ledger.connect import connect_with
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.bookie_registry import BookieEndpoint, BookieRegistry, BookieServiceInfo
from magnetar_metadata.cookies import Cookie, CookieRegistry
from magnetar_metadata.metadata_url import MetadataUrl, open_store
from magnetar_metadata.store import MetadataStore
from magnetar_runtime.clock import SystemClock

from tests.cli.test_bookie import Cluster

PASSWORD = b"secret"


class BookieThreads:
    """Three bookies, and a store that the commands open.

    Attributes:
        services: the bookies.
        away, read_only: indexes of those that are not registered, or registered as read-only.
    """

    def __init__(
        self,
        directory: Path,
        monkeypatch: pytest.MonkeyPatch,
        count: int = 3,
        *,
        network: BookieNetworkConfig | None = None,
        **settings: Any,
    ) -> None:
        """Args: `network` is how `written` speaks to the bookies; `settings` are theirs."""
        self._network = network
        self._settings = settings
        self._directory = directory
        self._count = count
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._stacks: list[AsyncExitStack] = []
        self._cookies: list[Cookie] = []
        self.services: list[BookieService] = []
        self.away: set[int] = set()
        self.read_only: set[int] = set()
        self.url = f"sqlite:{directory / 'shared'}"
        monkeypatch.setattr(metadata_access, "opened", self._opened)

    def start(self) -> None:
        self._thread.start()
        self.in_loop(self._start())

    def stop(self) -> None:
        self.stop_services(*range(len(self._stacks)))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def stop_services(self, *places: int) -> None:
        """Nobody listens there any more."""
        for place in places:
            self.in_loop(self._stacks[place].aclose())

    def in_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Done where the bookies live."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def run(self, *arguments: str) -> tuple[int, str]:
        """A command on the store: exit code and output."""
        result = CliRunner().invoke(cli, [*arguments, "-md", self.url])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    def written(self, count: int, *, write_quorum: int = 3, close: bool = True) -> int:
        """A ledger with entries "0", "1", ...; its id."""

        async def write(writer: LedgerWriter) -> int:
            appends = Appends(writer)
            await asyncio.gather(*(appends.append(b"%d" % number) for number in range(count)))
            if close:
                await writer.close()
            return writer.ledger_id

        return asyncio.run(self._with_writer(write_quorum, write))

    async def _with_writer(
        self, write_quorum: int, write: Callable[[LedgerWriter], Coroutine[Any, Any, int]]
    ) -> int:
        async with (
            self.store() as store,
            connect_with(store, network_config=self._network) as client,
        ):
            writer = await client.create(
                ensemble_size=3, write_quorum=write_quorum, ack_quorum=2, password=PASSWORD
            )
            return await write(writer)

    @asynccontextmanager
    async def store(self) -> AsyncIterator[MetadataStore]:
        """The store that all bookies are registered in."""
        async with open_store(self.url, SystemClock(), make_root=True) as store:
            registry, cookies = BookieRegistry(store), CookieRegistry(store)
            for place, service in enumerate(self.services):
                if await cookies.read(service.bookie_id) is None:
                    await cookies.create(self._cookies[place])
                if place not in self.away:
                    read_only = place in self.read_only
                    await registry.register(service.bookie_id, _info(service), read_only)
            yield store

    @asynccontextmanager
    async def _opened(
        self, url: MetadataUrl, *, make_root: bool = False
    ) -> AsyncIterator[MetadataStore]:
        async with self.store() as store:
            yield store

    async def _start(self) -> None:
        for number in range(self._count):
            cluster = Cluster(self._directory / f"c{number}")
            cluster.directory.mkdir()
            await cluster.init()
            settings = cluster.settings(
                http_server_enabled=True, auto_recovery_daemon_enabled=False, **self._settings
            )
            opened = open_bookie_service(settings, pytest.fail)
            stack = AsyncExitStack()
            self._stacks.append(stack)
            service = await stack.enter_async_context(opened)
            self.services.append(service)
            store = service.registration._registry._store
            found = await CookieRegistry(store).read(service.bookie_id)
            assert found is not None
            self._cookies.append(found[0])


def _info(service: BookieService) -> BookieServiceInfo:
    def endpoint(name: str, address: str, protocol: str) -> BookieEndpoint:
        host, _, port = address.rpartition(":")
        return BookieEndpoint(name, host, int(port), protocol)

    return BookieServiceInfo(
        (
            endpoint("bookie", service.addresses[0], "bookie-rpc"),
            endpoint("httpserver", service.web_addresses[0], "http"),
        )
    )
