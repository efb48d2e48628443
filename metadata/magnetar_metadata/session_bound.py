"""A store whose writes belong to one session: when that has ended, nothing is written any more.

Scenario: a broker is paused until its session ends, and another one takes its topics. When it goes
on, the store has a new session, in which its old writes would be as good as any. Where a value has
not changed since, a compare-and-set does not stop them.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, runtime_checkable

from magnetar_metadata.store import (
    ANY_VERSION,
    MetadataStore,
    Node,
    NoNodeError,
    Operation,
    SessionExpiredError,
    Stat,
)


@runtime_checkable
class WaitsForSessions(Protocol):
    """A store whose writes wait for a connection, which may be of the next session."""

    def bound_to(self, session_id: int) -> MetadataStore:
        """The same store; a write that its session does not live to see is refused."""


class SessionBoundStore:
    """A `MetadataStore` for as long as its session is that of now; reads go on."""

    def __init__(self, store: MetadataStore) -> None:
        self._session_id = store.session_id
        # Scenario: a topic is being deleted while its broker has no connection. Its session ends,
        # the next owner takes entries, and the deletion is made when the broker is connected again.
        if isinstance(store, WaitsForSessions):
            store = store.bound_to(self._session_id)
        self._store = store
        self._closed = False

    async def get(self, path: str) -> Node | None:
        self._check_open(path)
        return await self._store.get(path)

    async def children(self, path: str) -> list[str]:
        self._check_open(path)
        return await self._store.children(path)

    async def sync(self, path: str) -> None:
        self._check_open(path)
        await self._store.sync(path)

    def watch(self, path: str, hint: Callable[[str], None]) -> Callable[[], None]:
        return self._store.watch(path, hint)

    async def create(
        self,
        path: str,
        value: bytes,
        *,
        ephemeral: bool = False,
        sequential: bool = False,
        make_parents: bool = True,
    ) -> str:
        self._check(path)
        return await self._store.create(
            path, value, ephemeral=ephemeral, sequential=sequential, make_parents=make_parents
        )

    async def set(self, path: str, value: bytes, version: int = ANY_VERSION) -> Stat:
        self._check(path)
        return await self._store.set(path, value, version)

    async def delete(self, path: str, version: int = ANY_VERSION) -> None:
        self._check(path)
        await self._store.delete(path, version)

    async def multi(self, operations: Sequence[Operation]) -> None:
        self._check(operations[0].path if operations else "/")
        await self._store.multi(operations)

    @property
    def session_id(self) -> int:
        return self._session_id

    def when_session_ends(self, callback: Callable[[int], None]) -> None:
        self._store.when_session_ends(callback)

    async def close(self) -> None:
        """No call is made this way any more. The store belongs to others, who close it."""
        self._closed = True

    def _check_open(self, path: str) -> None:
        if self._closed:
            raise SessionExpiredError(path, "the store is closed")

    def _check(self, path: str) -> None:
        self._check_open(path)
        if self._store.session_id != self._session_id:
            raise SessionExpiredError(path, "the session in which this was to be done has ended")


async def delete_own(store: MetadataStore, path: str) -> None:
    """Delete a node if it is of the store's session, and in that session only; nothing if not.

    Scenario: behind the look a pause, and the session ends. Another process makes a node of the
    same name, which has the same version too; our deletion would take it, in our next session.
    """
    bound = SessionBoundStore(store)
    with suppress(NoNodeError, SessionExpiredError):  # gone with the session
        node = await bound.get(path)
        if node is not None and node.stat.ephemeral_owner == bound.session_id:
            await bound.delete(path)
