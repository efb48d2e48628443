"""A metadata store that is reached over simulated links: late, cut off, with answers that get lost.

Each node has a session of its own over the link from its host to the store's. The store itself
loses nothing; what may happen is what may happen to a client of ZooKeeper.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from magnetar_runtime.sim.hosts import SimHost
from magnetar_runtime.sim.links import Flight, Link
from magnetar_runtime.sim.network import SimNetwork

from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.store import (
    ANY_VERSION,
    MetadataError,
    Node,
    Operation,
    SessionExpiredError,
    Stat,
    UnknownOutcomeError,
)

_PINGS_PER_TIMEOUT: Final = 3
"""As ZooKeeper's client: it pings after a third, and gives a connection up after two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionShape:
    """What may befall a session.

    Attributes:
        timeout_s: The store ends a session that it has not heard of for so long.
        reply_lost_chance: How often the connection breaks between the commit of a change and its
            answer, 0 to 1.
        hint_late_max_s: Hints of watches come up to so late.
    """

    timeout_s: float = 30.0
    reply_lost_chance: float = 0.0
    hint_late_max_s: float = 0.0


@dataclass(slots=True, eq=False)
class _Call:
    """One request and its answer; without `make` it is a ping."""

    path: str
    session_id: int
    make: Callable[[], Coroutine[Any, Any, Any]] | None
    changes: bool
    ended: asyncio.Future[Any] | None
    result: Any = None
    error: MetadataError | None = None


class SimSession:
    """A `MetadataStore` of one node. When its session has ended it goes on with a new one.

    Args:
        store: the session as the store has it; this object's own.
        there, back: the links to the store's host and from it.
        rng: decides what befalls it.

    Attributes:
        shape: May be changed at any time.
        replies_to_lose: So many of the next changes are committed and never answered.
        unknown_outcomes: How many calls ended like that, or were cut off.
        sessions_lost: How often the client was told that its session has ended.
        abandoned: Its process is no more.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        store: MemoryStore,
        there: Link,
        back: Link,
        rng: Random,
        shape: SessionShape,
    ) -> None:
        self.shape = shape
        self.replies_to_lose = 0
        self.unknown_outcomes = self.sessions_lost = 0
        self._loop = loop
        self._store = store
        self._rng = rng
        self._session_id = store.session_id
        self._session_callbacks: list[Callable[[int], None]] = []
        self._watches: dict[object, tuple[str, Callable[[str], None]]] = {}
        self._calls: dict[_Call, None] = {}
        self._requests: Flight[_Call] = Flight(loop, there, self._arrived)
        self._replies: Flight[_Call] = Flight(loop, back, self._answered)
        self._hints: Flight[object] = Flight(loop, back, self._hint)
        self._heard_s = loop.time()
        self._broken = self._closed = self.abandoned = False
        self._expiry = loop.call_later(shape.timeout_s, self._not_heard)
        self._ticker = loop.call_later(shape.timeout_s / _PINGS_PER_TIMEOUT, self._tick)

    async def get(self, path: str) -> Node | None:
        found: Node | None = await self._ask(path, lambda: self._store.get(path))
        return found

    async def create(
        self,
        path: str,
        value: bytes,
        *,
        ephemeral: bool = False,
        sequential: bool = False,
        make_parents: bool = True,
    ) -> str:
        options = {
            "ephemeral": ephemeral,
            "sequential": sequential,
            "make_parents": make_parents,
        }
        make = lambda: self._store.create(path, value, **options)  # noqa: E731
        return str(await self._ask(path, make, changes=True))

    async def set(self, path: str, value: bytes, version: int = ANY_VERSION) -> Stat:
        make = lambda: self._store.set(path, value, version)  # noqa: E731
        stat: Stat = await self._ask(path, make, changes=True)
        return stat

    async def delete(self, path: str, version: int = ANY_VERSION) -> None:
        await self._ask(path, lambda: self._store.delete(path, version), changes=True)

    async def children(self, path: str) -> list[str]:
        names: list[str] = await self._ask(path, lambda: self._store.children(path))
        return names

    async def multi(self, operations: Sequence[Operation]) -> None:
        path = operations[0].path if operations else "/"
        await self._ask(path, lambda: self._store.multi(operations), changes=True)

    async def sync(self, path: str) -> None:
        await self._ask(path, lambda: self._store.sync(path))

    def watch(self, path: str, hint: Callable[[str], None]) -> Callable[[], None]:
        key = object()
        self._watches[key] = (path, hint)
        end_there = self._store.watch(path, lambda _path: self._changed(key))

        def end() -> None:
            self._watches.pop(key, None)
            end_there()

        return end

    @property
    def session_id(self) -> int:
        return self._session_id

    def when_session_ends(self, callback: Callable[[int], None]) -> None:
        self._session_callbacks.append(callback)

    async def close(self) -> None:
        if self._closed:
            return
        try:
            await self._ask("/", self._store.close)
        except MetadataError:
            pass  # a store that did not hear of it ends the session in time
        else:
            self._expiry.cancel()
        self._closed = True
        self._ticker.cancel()

    def abandon(self) -> None:
        """The process of this session is no more: no call of it ends. What it has sent may arrive;
        the store ends the session in time.
        """
        self._closed = self.abandoned = True
        self._ticker.cancel()
        self._calls.clear()
        self._watches.clear()

    def expire(self) -> None:
        """Let the store end the session; the client learns it with the next answer."""
        self._store.expire(renew=True)

    # The client's side.

    async def _ask(
        self, path: str, make: Callable[[], Coroutine[Any, Any, Any]], *, changes: bool = False
    ) -> Any:
        ended = self._loop.create_future()
        if self.abandoned:
            return await ended
        if self._closed:
            raise SessionExpiredError(path, "the store is closed")
        call = _Call(path, self._session_id, make, changes, ended)
        self._calls[call] = None
        self._requests.send(call, 0)
        return await ended

    def _tick(self) -> None:
        """Ping; give the connection up when nothing was heard for long."""
        interval_s = self.shape.timeout_s / _PINGS_PER_TIMEOUT
        # Answers of the tick before last came a little after it: so half a tick less than two.
        if self._loop.time() - self._heard_s > 1.5 * interval_s:
            self._break()
        self._ping()
        self._ticker = self._loop.call_later(interval_s, self._tick)

    def _ping(self) -> None:
        self._requests.send(_Call("/", self._session_id, None, False, None), 0)

    def _break(self) -> None:
        """The connection is lost: of what is under way nobody knows whether it was done."""
        if self.abandoned:
            return
        self._requests.drop()
        self._replies.drop()
        self._hints.drop()
        self._broken = True
        calls, self._calls = self._calls, {}
        for call in calls:
            if call.ended is not None and not call.ended.done():
                self.unknown_outcomes += 1
                call.ended.set_exception(UnknownOutcomeError(call.path, "connection lost"))

    def _answered(self, call: _Call) -> None:
        if self.abandoned:
            return
        self._heard_s = self._loop.time()
        self._calls.pop(call, None)
        if self._broken:
            self._broken = False
            for path, hint in list(self._watches.values()):
                hint(path)  # it may have changed while nobody could tell
        if isinstance(call.error, SessionExpiredError):
            self._follow_session(call.session_id)
        if call.ended is None or call.ended.done():
            return
        if call.error is not None:
            call.ended.set_exception(call.error)
        else:
            call.ended.set_result(call.result)

    def _follow_session(self, ended_id: int) -> None:
        if ended_id != self._session_id:
            return  # told already
        self.sessions_lost += 1
        self._session_id = self._store.session_id
        for callback in self._session_callbacks:
            self._loop.call_soon(callback, ended_id)

    def _hint(self, key: object) -> None:
        if key in self._watches:
            path, hint = self._watches[key]
            hint(path)

    # The store's side.

    def _not_heard(self) -> None:
        if self._closed:
            _made(self._store.close())
        else:
            self.expire()

    def _arrived(self, call: _Call) -> None:
        self._expiry.cancel()
        self._expiry = self._loop.call_later(self.shape.timeout_s, self._not_heard)
        if call.session_id != self._store.session_id:
            call.error = SessionExpiredError(call.path, "the session has ended")
        elif call.make is not None:
            try:
                call.result = _made(call.make())
            except MetadataError as error:
                call.error = error
            if call.changes and self._loses_reply():
                self._loop.call_soon(self._break)
                self._loop.call_soon(self._ping)
                return
        self._replies.send(call, 0)

    def _loses_reply(self) -> bool:
        if self.replies_to_lose:
            self.replies_to_lose -= 1
            return True
        return self._rng.random() < self.shape.reply_lost_chance

    def _changed(self, key: object) -> None:
        late_s = self._rng.random() * self.shape.hint_late_max_s
        self._loop.call_later(late_s, self._hints.send, key, 0)


class SimMetadata:
    """The store of a simulated cluster, on a host of its own.

    Args:
        store: keeps the tree; its own session is not used.
    """

    def __init__(self, network: SimNetwork, host: SimHost, store: MemoryStore) -> None:
        self._network = network
        self._host = host
        self._store = store

    def session(self, host: SimHost, rng: Random, shape: SessionShape | None = None) -> SimSession:
        """A session of a node, over the link between its host and the store's."""
        there = self._network.link(host, self._host)
        back = self._network.link(self._host, host)
        session = self._store.new_session()
        return SimSession(self._network.loop, session, there, back, rng, shape or SessionShape())


def _made(call: Coroutine[Any, Any, Any]) -> Any:
    try:
        call.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("a memory store never waits")
