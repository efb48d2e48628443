"""The metadata store of a cluster: Apache ZooKeeper, through kazoo.

A read whose connection goes is made again. A write is made once: if the connection goes before the
answer, the caller gets `UnknownOutcomeError` and finds out by reading (docs/adr/0007). A session
that ends is followed by another: its ephemeral nodes are gone, `when_session_ends` tells, and calls
go on in the new one, except ephemeral creates of the old, which raise `SessionExpiredError`.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, cast

from magnetar_runtime.loop_inbox import LoopInbox

from magnetar_metadata.errors import StoreUnreachableError
from magnetar_metadata.store import (
    ANY_VERSION,
    Create,
    Delete,
    MetadataError,
    Node,
    NodeExistsError,
    NoNodeError,
    Operation,
    SessionExpiredError,
    Stat,
    UnknownOutcomeError,
)
from magnetar_metadata.tree import check_path, parent_of
from magnetar_metadata.zookeeper_client import Done, Link, LinkListener, ZooKeeperClient
from magnetar_metadata.zookeeper_numbered import NumberedNodes
from magnetar_metadata.zookeeper_session import ZooKeeperSession
from magnetar_metadata.zookeeper_watches import ArmedWatches

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_MS: Final = 5_000
"""How long `close` waits for a server's answer."""

_PARENT_ATTEMPTS: Final = 10
"""Others may delete an empty parent just when we have made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooKeeperOptions:
    """Times of a store. Defaults are Apache Pulsar's."""

    session_timeout_ms: int = 30_000
    """How long the session outlives a lost connection (`metadataStoreSessionTimeoutMillis`); the
    server holds it to 2 to 20 of its ticks."""

    operation_timeout_ms: int = 30_000
    """Of one call, waiting for a connection included (`metadataStoreOperationTimeoutSeconds`)."""

    connect_timeout_ms: int = 30_000
    """How long `open` waits for the first connection."""


class ZooKeeperStore:
    """A session of one client of a ZooKeeper cluster. Made by `open`."""

    def __init__(self, hosts: str, root: str, options: ZooKeeperOptions) -> None:
        self._hosts = hosts
        self._session = ZooKeeperSession(options.operation_timeout_ms)
        self._closed = False
        self._bound_to: int | None = None
        self._client = ZooKeeperClient(
            hosts,
            root,
            options.session_timeout_ms,
            LoopInbox(asyncio.get_running_loop()),
            LinkListener(self._link_changed, self._event),
        )
        self._numbered = NumberedNodes(self._client, self._session)
        self._watches = ArmedWatches(lambda path: self._client.arm(path, _armed(path)))

    @classmethod
    async def open(
        cls,
        hosts: str,
        root: str = "",
        options: ZooKeeperOptions | None = None,
        *,
        make_root: bool = False,
    ) -> "ZooKeeperStore":
        """Connect.

        Args:
            hosts: `host:port`, with commas between.
            root: the path that is `/` of this store, as `/one`; empty for that of the server.
            make_root: make that path if it is not there.

        Raises:
            StoreUnreachableError: no server answered, or `root` is not there.
        """
        options = options or ZooKeeperOptions()
        if make_root and root:
            server = await cls.open(hosts, "", options)
            try:
                await server._make_node(root)
            finally:
                await server.close()
        store = cls(hosts, root, options)
        store._client.start()
        try:
            if not await store._session.wait_connected(options.connect_timeout_ms):
                reason = f"no ZooKeeper server answered within {options.connect_timeout_ms} ms"
                raise StoreUnreachableError(hosts, reason)
            if root and await store.get("/") is None:
                raise StoreUnreachableError(hosts + root, f"the servers have no node {root}")
        except BaseException:
            await store.close()
            raise
        return store

    async def get(self, path: str) -> Node | None:
        self._check(path)
        try:
            return cast(Node, await self._read(path, lambda done: self._client.get(path, done)))
        except NoNodeError:
            return None

    async def create(
        self,
        path: str,
        value: bytes,
        *,
        ephemeral: bool = False,
        sequential: bool = False,
        make_parents: bool = True,
    ) -> str:
        self._check(path + "0" if sequential else path)
        for attempt in range(_PARENT_ATTEMPTS):
            try:
                return await self._create(path, value, ephemeral, sequential)
            except NoNodeError:
                if not make_parents or attempt == _PARENT_ATTEMPTS - 1:
                    raise
            await self._make_node(parent_of(path))
        raise AssertionError("unreachable")

    async def set(self, path: str, value: bytes, version: int = ANY_VERSION) -> Stat:
        self._check(path)
        stat = await self._write(path, lambda done: self._client.set(path, value, version, done))
        return cast(Stat, stat)

    async def delete(self, path: str, version: int = ANY_VERSION) -> None:
        self._check(path)
        if path == "/":
            raise MetadataError(path, "the root stays")
        await self._write(path, lambda done: self._client.delete(path, version, done))
        self._numbered.removed(path)

    async def children(self, path: str) -> list[str]:
        self._check(path)
        try:
            names = await self._read(path, lambda done: self._client.children(path, done))
        except NoNodeError:
            return []
        return cast(list[str], names)

    async def multi(self, operations: Sequence[Operation]) -> None:
        for step in operations:
            self._check(step.path)
        if operations:
            path = operations[0].path
            ephemeral = any(isinstance(step, Create) and step.ephemeral for step in operations)
            submit = lambda done: self._client.multi(operations, done)  # noqa: E731
            await self._write(path, submit, of_session=ephemeral)
            for step in operations:
                if isinstance(step, Delete):
                    self._numbered.removed(step.path)

    async def sync(self, path: str) -> None:
        self._check(path)
        await self._read(path, lambda done: self._client.sync(path, done))

    def watch(self, path: str, hint: Callable[[str], None]) -> Callable[[], None]:
        self._check(path)
        return self._watches.watch(path, hint)

    @property
    def session_id(self) -> int:
        """-1, which owns nothing, between a session's end and the next one's begin."""
        return self._session.id

    @property
    def connected(self) -> bool:
        """Whether a server can be asked now."""
        return self._session.connected

    def when_session_ends(self, callback: Callable[[int], None]) -> None:
        self._session.when_ended(callback)

    def bound_to(self, session_id: int) -> "ZooKeeperStore":
        """This store, with writes that are made in one session or not at all; not to be closed."""
        bound = copy(self)
        bound._bound_to = session_id
        return bound

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._session.finish()
        self._watches.disconnected()
        await self._numbered.close()
        stopped = asyncio.Event()
        self._client.stop(stopped.set)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_MS / 1000):
                await stopped.wait()
        except TimeoutError:
            log.warning("no goodbye from ZooKeeper %s; the session will expire", self._hosts)

    def _check(self, path: str) -> None:
        check_path(path)
        if self._closed:
            raise SessionExpiredError(path, "the store is closed")

    async def _read(self, path: str, submit: Callable[[Done], None]) -> Any:
        return await self._session.request(path, submit, repeat=True)

    async def _write(
        self, path: str, submit: Callable[[Done], None], *, of_session: bool = False
    ) -> Any:
        bound_to = self._bound_to
        if bound_to is not None:
            submit = self._bound(path, bound_to, submit)
        return await self._session.request(
            path, submit, repeat=False, of_session=of_session, bound_to=bound_to
        )

    def _bound(
        self, path: str, session_id: int, submit: Callable[[Done], None]
    ) -> Callable[[Done], None]:
        def submit_there(done: Done) -> None:
            # Scenario: after a pause the threads have a new session before the loop is told.
            if self._client.session_id == session_id:
                submit(done)
            else:
                done(None, UnknownOutcomeError(path, "the connection is lost"))

        return submit_there

    async def _create(self, path: str, value: bytes, ephemeral: bool, sequential: bool) -> str:
        if ephemeral and sequential:
            return await self._numbered.create(path, value)
        submit = lambda done: self._client.create(  # noqa: E731
            path, value, ephemeral, sequential, done
        )
        return cast(str, await self._write(path, submit, of_session=ephemeral))

    async def _make_node(self, path: str) -> None:
        """An empty node with its parents. It may be made twice: nobody can tell the difference."""
        if path == "/":
            raise NoNodeError(path, "the root of this store is gone")
        while True:
            try:
                await self._read(
                    path, lambda done: self._client.create(path, b"", False, False, done)
                )
            except NodeExistsError:
                return
            except NoNodeError:
                await self._make_node(parent_of(path))
            else:
                return

    def _link_changed(self, link: Link, session_id: int) -> None:
        if not self._closed:
            _tell(link, self._hosts, session_id)
        self._session.link_changed(link, session_id)
        self._numbered.link_changed(link)
        if link is not Link.CONNECTED:
            self._watches.disconnected()
        elif not self._closed:
            self._watches.connected()

    def _event(self, path: str) -> None:
        if not self._closed:
            self._watches.fired(path)


def _tell(link: Link, hosts: str, session_id: int) -> None:
    match link:
        case Link.CONNECTED:
            log.info("connected to ZooKeeper %s, session 0x%x", hosts, session_id)
        case Link.SUSPENDED:
            log.warning("no connection to ZooKeeper %s; trying to get one", hosts)
        case Link.EXPIRED:
            log.warning("a session of ZooKeeper %s has expired; another begins", hosts)
        case Link.OVER:
            log.error("the connection to ZooKeeper %s has ended for good", hosts)


def _armed(path: str) -> Done:
    def done(_: Any, error: MetadataError | None) -> None:
        # No node yet: its creation is watched. No connection: the next one arms again.
        expected = (NoNodeError, UnknownOutcomeError, SessionExpiredError)
        if error is not None and not isinstance(error, expected):
            log.warning("%s cannot be watched: %s", path, error)

    return done
