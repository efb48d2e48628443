"""Which bookies are there: ephemeral nodes with their addresses, as BookKeeper keeps them."""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import DecodeError
from magnetar_proto.bookkeeper_metadata_pb2 import BookieServiceInfoFormat

from magnetar_metadata.errors import MalformedRecordError, NodeExistsError, NoNodeError
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.store import MetadataStore

BOOKIE_PROTOCOL: Final = "bookie-rpc"
_READ_ONLY_NAME: Final = "readonly"
_BOOKIE_ID: Final = re.compile(r"[A-Za-z0-9:._-]+")


@dataclass(frozen=True, slots=True)
class BookieEndpoint:
    """One address of a bookie and what is spoken there."""

    id: str
    host: str
    port: int
    protocol: str = BOOKIE_PROTOCOL
    auth: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BookieServiceInfo:
    """What a bookie says of itself. Without endpoints its id is its address."""

    endpoints: tuple[BookieEndpoint, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        record = BookieServiceInfoFormat(properties=self.properties)
        for endpoint in self.endpoints:
            record.endpoints.add(
                id=endpoint.id,
                port=endpoint.port,
                host=endpoint.host,
                protocol=endpoint.protocol,
                auth=endpoint.auth,
                extensions=endpoint.extensions,
            )
        return record.SerializeToString(deterministic=True)

    @staticmethod
    def decode(value: bytes) -> "BookieServiceInfo":
        """Raises MalformedRecordError."""
        try:
            record = BookieServiceInfoFormat.FromString(value)
        except DecodeError as error:
            raise MalformedRecordError("bookie service info", str(error)) from error
        endpoints = tuple(
            BookieEndpoint(e.id, e.host, e.port, e.protocol, tuple(e.auth), tuple(e.extensions))
            for e in record.endpoints
        )
        return BookieServiceInfo(endpoints, dict(record.properties))


class BookieRegistry:
    """The bookies of a cluster that are up."""

    def __init__(self, store: MetadataStore, root: str = LEDGERS_ROOT) -> None:
        self._store = store
        self._available = f"{root}/available"
        self._read_only = f"{root}/available/{_READ_ONLY_NAME}"

    async def register(
        self,
        bookie_id: str,
        service_info: BookieServiceInfo,
        read_only: bool = False,
        *,
        other_session_timeout_ms: int = 10_000,
    ) -> None:
        """Say that a bookie is up, for as long as the store's session lasts.

        Also changes over from writable to read-only and back: for a moment both are registered,
        never none. To be called when the bookie can answer.

        Args:
            other_session_timeout_ms: how long to wait for the end of an earlier session of this
                bookie, which a quick restart leaves.

        Raises:
            NodeExistsError: the other session did not end.
        """
        assert is_bookie_id(bookie_id), bookie_id
        here, there = self._available, self._read_only
        if read_only:
            here, there = there, here
        path = f"{here}/{bookie_id}"
        try:
            async with asyncio.timeout(other_session_timeout_ms / 1000):
                await self._create_own(path, service_info.encode())
        except TimeoutError:
            raise NodeExistsError(path, "belongs to another session") from None
        await self._remove(f"{there}/{bookie_id}")

    async def unregister(self, bookie_id: str) -> None:
        """Say that a bookie goes."""
        await self._remove(f"{self._available}/{bookie_id}")
        await self._remove(f"{self._read_only}/{bookie_id}")

    async def writable(self) -> list[str]:
        """Ids of the bookies that take entries."""
        names = await self._store.children(self._available)
        return [name for name in names if name != _READ_ONLY_NAME]

    async def read_only(self) -> list[str]:
        """Ids of the bookies that only give entries."""
        return await self._store.children(self._read_only)

    async def registered(self) -> set[str]:
        """Ids of the bookies that are up, writable or not, as of now: what others have written
        before is seen. A bookie that changes over meanwhile is among them.
        """
        await self._store.sync(self._available)
        # Whichever way it goes, it is in the second list or in one of the others.
        return {*await self.read_only(), *await self.writable(), *await self.read_only()}

    async def service_info(self, bookie_id: str) -> BookieServiceInfo | None:
        """What a bookie says of itself, or None if it is not up. Raises MalformedRecordError."""
        for parent in (self._available, self._read_only):
            node = await self._store.get(f"{parent}/{bookie_id}")
            if node is not None:
                return BookieServiceInfo.decode(node.value)
        return None

    def watch(self, hint: Callable[[str], None]) -> Callable[[], None]:
        """Hint when bookies may have come or gone. Returns what ends the watch."""
        ends = [self._store.watch(path, hint) for path in (self._available, self._read_only)]

        def end() -> None:
            for end_one in ends:
                end_one()

        return end

    async def _create_own(self, path: str, value: bytes) -> None:
        """Make the node; while another session has it, wait for its end."""
        changed = asyncio.Event()
        end_watch = self._store.watch(path, lambda _: changed.set())
        try:
            while not await self._try_create(path, value):
                await changed.wait()
                changed.clear()
        finally:
            end_watch()

    async def _try_create(self, path: str, value: bytes) -> bool:
        try:
            await self._store.create(path, value, ephemeral=True)
        except NodeExistsError:
            node = await self._store.get(path)
            if node is None or node.stat.ephemeral_owner != self._store.session_id:
                return False
            await self._store.set(path, value)
        return True

    async def _remove(self, path: str) -> None:
        with suppress(NoNodeError):
            await self._store.delete(path)


def is_bookie_id(text: str) -> bool:
    """Whether a bookie may have this id."""
    return _BOOKIE_ID.fullmatch(text) is not None and text != _READ_ONLY_NAME
