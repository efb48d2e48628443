"""A metadata store that forgets: for tests and for the simulated cluster."""

import asyncio
from collections.abc import Callable, Sequence

from magnetar_runtime.clock import Clock

from magnetar_metadata.store import (
    ANY_VERSION,
    Node,
    Operation,
    SessionExpiredError,
    Stat,
)
from magnetar_metadata.tree import NodeTree
from magnetar_metadata.watches import WatchTable


class MemoryStore:
    """A session on a tree in memory; `new_session` gives others on the same tree."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shared = _SharedTree()
        self._open_session()

    def new_session(self) -> "MemoryStore":
        """Another client of the same tree, with ephemeral nodes of its own."""
        store = MemoryStore.__new__(MemoryStore)
        store._clock = self._clock
        store._shared = self._shared
        store._open_session()
        return store

    def _open_session(self) -> None:
        self._session_callbacks: list[Callable[[int], None]] = []
        self._begin_session()

    def _begin_session(self) -> None:
        self._shared.last_session_id += 1
        self._session_id = self._shared.last_session_id
        self._ended = False

    async def get(self, path: str) -> Node | None:
        self._check_session(path)
        return self._shared.tree.get(path)

    async def create(
        self,
        path: str,
        value: bytes,
        *,
        ephemeral: bool = False,
        sequential: bool = False,
        make_parents: bool = True,
    ) -> str:
        self._check_session(path)
        created, touched = self._shared.tree.create(
            path,
            value,
            owner=self._session_id if ephemeral else 0,
            sequential=sequential,
            make_parents=make_parents,
            now_ms=self._clock.wall_ms(),
        )
        self._shared.changed(touched)
        return created

    async def set(self, path: str, value: bytes, version: int = ANY_VERSION) -> Stat:
        self._check_session(path)
        self._shared.changed(self._shared.tree.set(path, value, version, self._clock.wall_ms()))
        return self._shared.tree.nodes[path].stat()

    async def delete(self, path: str, version: int = ANY_VERSION) -> None:
        self._check_session(path)
        self._shared.changed(self._shared.tree.delete(path, version))

    async def children(self, path: str) -> list[str]:
        self._check_session(path)
        return self._shared.tree.children(path)

    async def multi(self, operations: Sequence[Operation]) -> None:
        self._check_session(operations[0].path if operations else "/")
        now_ms = self._clock.wall_ms()
        self._shared.changed(self._shared.tree.multi(operations, self._session_id, now_ms))

    async def sync(self, path: str) -> None:
        self._check_session(path)

    def watch(self, path: str, hint: Callable[[str], None]) -> Callable[[], None]:
        return self._shared.watches.watch(path, hint)

    @property
    def session_id(self) -> int:
        return self._session_id

    def when_session_ends(self, callback: Callable[[int], None]) -> None:
        self._session_callbacks.append(callback)

    async def close(self) -> None:
        if not self._ended:
            self._end_session()

    def expire(self, *, renew: bool = False) -> None:
        """End the session as a store does that has not heard of it for too long.

        Args:
            renew: go on with a new session, as the store of a cluster does.
        """
        assert not self._ended, "the session has ended already"
        ended = self._session_id
        self._end_session()
        if renew:
            self._begin_session()
        loop = asyncio.get_running_loop()
        for callback in self._session_callbacks:
            loop.call_soon(callback, ended)

    def _end_session(self) -> None:
        self._ended = True
        tree = self._shared.tree
        for path in tree.owned_by(self._session_id):
            self._shared.changed(tree.delete(path, ANY_VERSION))

    def _check_session(self, path: str) -> None:
        if self._ended:
            raise SessionExpiredError(path)


class _SharedTree:
    """What the sessions on one tree have in common."""

    def __init__(self) -> None:
        self.tree = NodeTree()
        self.watches = WatchTable()
        self.last_session_id = 0

    def changed(self, paths: Sequence[str]) -> None:
        if self.watches.touched(paths):
            asyncio.get_running_loop().call_soon(self.watches.give_hints)
