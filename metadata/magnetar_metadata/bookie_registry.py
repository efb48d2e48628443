"""Which bookies are there: ephemeral nodes with their addresses, as BookKeeper keeps them."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from google.protobuf.message import DecodeError
from magnetar_proto.bookkeeper_metadata_pb2 import BookieServiceInfoFormat

from magnetar_metadata.errors import (
    MalformedRecordError,
    NodeExistsError,
)
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.session_bound import delete_own
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
            NodeExistsError: the other session did not end; what it registered stays.
            MetadataError: the store cannot be read or written.
        """
        assert is_bookie_id(bookie_id), bookie_id
        here, there = self._nodes(bookie_id, read_only)
        until_s = asyncio.get_running_loop().time() + other_session_timeout_ms / 1000
        await self._when_others_go(there, partial(self._is_free, there), until_s)
        create = partial(self._try_create, here, service_info.encode())
        await self._when_others_go(here, create, until_s)
        await delete_own(self._store, there)

    async def is_registered(self, bookie_id: str, read_only: bool = False) -> bool:
        """Whether a bookie is registered by this session, as that and as nothing else."""
        here, there = self._nodes(bookie_id, read_only)
        return await self._is_own(here) and not await self._is_own(there)

    async def unregister(self, bookie_id: str) -> None:
        """Say that a bookie goes. What another session has registered stays."""
        for path in self._nodes(bookie_id):
            await delete_own(self._store, path)

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
        return self._watch_all((self._available, self._read_only), hint)

    def watch_bookie(self, bookie_id: str, hint: Callable[[str], None]) -> Callable[[], None]:
        """Hint when a bookie's registration may have changed. Returns what ends the watch."""
        return self._watch_all(self._nodes(bookie_id), hint)

    def _watch_all(self, paths: tuple[str, ...], hint: Callable[[str], None]) -> Callable[[], None]:
        ends = [self._store.watch(path, hint) for path in paths]

        def end() -> None:
            for end_one in ends:
                end_one()

        return end

    def _nodes(self, bookie_id: str, read_only: bool = False) -> tuple[str, str]:
        """Where it stands in this state, and where in the other."""
        writable, other = f"{self._available}/{bookie_id}", f"{self._read_only}/{bookie_id}"
        return (other, writable) if read_only else (writable, other)

    async def _when_others_go(
        self, path: str, attempt: Callable[[], Awaitable[bool]], until_s: float
    ) -> None:
        """Attempt it until it is done; each time when another session's node may have gone.

        Only the waiting is limited: a store that does not answer is told as such, by the attempt.
        """
        changed = asyncio.Event()
        end_watch = self._store.watch(path, lambda _: changed.set())
        try:
            while not await attempt():
                if not await _in_time(changed, until_s):
                    reason = "belongs to another session: is this bookie running already?"
                    raise NodeExistsError(path, reason)
                changed.clear()
        finally:
            end_watch()

    async def _try_create(self, path: str, value: bytes) -> bool:
        try:
            await self._store.create(path, value, ephemeral=True)
        except NodeExistsError:
            if not await self._is_own(path):
                return False
            await self._store.set(path, value)
        return True

    async def _is_own(self, path: str) -> bool:
        node = await self._store.get(path)
        return node is not None and node.stat.ephemeral_owner == self._store.session_id

    async def _is_free(self, path: str) -> bool:
        node = await self._store.get(path)
        return node is None or node.stat.ephemeral_owner == self._store.session_id


async def _in_time(event: asyncio.Event, until_s: float) -> bool:
    try:
        async with asyncio.timeout_at(until_s):
            await event.wait()
    except TimeoutError:
        return False
    return True


def is_bookie_id(text: str) -> bool:
    """Whether a bookie may have this id."""
    return _BOOKIE_ID.fullmatch(text) is not None and text != _READ_ONLY_NAME
