"""What was begun in one session is not written in the next; all else is the store's."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

import pytest
from magnetar_metadata import zookeeper
from magnetar_metadata.bookie_registry import BookieRegistry, BookieServiceInfo
from magnetar_metadata.broker_addresses import LeaderRecord
from magnetar_metadata.broker_registration import BROKERS_PATH, BrokerRegistry
from magnetar_metadata.errors import SessionExpiredError, UnknownOutcomeError
from magnetar_metadata.leader_election import LEADER_PATH, LeaderElection
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.repair_locks import RepairLocks
from magnetar_metadata.session_bound import SessionBoundStore, delete_own
from magnetar_metadata.store import ANY_VERSION, Create, MetadataStore
from magnetar_metadata.underreplication import Underreplication
from magnetar_metadata.zookeeper import ZooKeeperOptions, ZooKeeperStore
from magnetar_metadata.zookeeper_client import Done, Link

from tests.metadata.clocks import ManualClock
from tests.metadata.store_contract import StoreContract
from tests.metadata.test_broker_registration import report_of


class TestSessionBoundStore(StoreContract):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    async def store(self, clock: ManualClock) -> SessionBoundStore:
        return SessionBoundStore(MemoryStore(clock))


async def test_no_write_after_the_session() -> None:
    store = MemoryStore(ManualClock())
    bound = SessionBoundStore(store)
    await bound.create("/a", b"1")
    store.expire(renew=True)
    with pytest.raises(SessionExpiredError):
        await bound.create("/b", b"")
    with pytest.raises(SessionExpiredError):
        await bound.set("/a", b"2")
    with pytest.raises(SessionExpiredError):
        await bound.delete("/a")
    with pytest.raises(SessionExpiredError):
        await bound.multi([Create("/b", b"")])
    node = await bound.get("/a")
    assert node is not None
    assert node.value == b"1"
    assert await bound.children("/") == ["a"]
    await bound.sync("/")
    assert await SessionBoundStore(store).set("/a", b"2")


class _Server:
    """Instead of kazoo: notes the deletions that are made, and makes them."""

    def __init__(self, *_: object) -> None:
        self.deleted: list[str] = []
        self.session_id: int | None = 7

    def delete(self, path: str, _version: int, done: Done) -> None:
        self.deleted.append(path)
        done(None, None)


async def test_a_write_that_waits_for_a_connection_is_not_made_in_the_next_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Scenario: without a connection a topic is deleted; its next owner takes entries meanwhile."""
    monkeypatch.setattr(zookeeper, "ZooKeeperClient", _Server)
    store = ZooKeeperStore("", "", ZooKeeperOptions(operation_timeout_ms=5_000))
    server = cast(_Server, store._client)
    store._link_changed(Link.CONNECTED, 7)
    bound = SessionBoundStore(store)
    store._link_changed(Link.SUSPENDED, 7)
    deletion = asyncio.ensure_future(bound.delete("/topic"))
    other = asyncio.ensure_future(store.delete("/other"))
    await asyncio.sleep(0)
    store._link_changed(Link.EXPIRED, 7)
    store._link_changed(Link.CONNECTED, 8)
    with pytest.raises(SessionExpiredError):
        await deletion
    await other
    assert server.deleted == ["/other"]


@pytest.mark.parametrize("session_id", [None, 8])
async def test_a_write_is_not_made_in_a_session_that_the_loop_has_not_heard_of_yet(
    monkeypatch: pytest.MonkeyPatch, session_id: int | None
) -> None:
    """Scenario: the process was paused, and kazoo's thread is quicker than the loop."""
    monkeypatch.setattr(zookeeper, "ZooKeeperClient", _Server)
    store = ZooKeeperStore("", "", ZooKeeperOptions(operation_timeout_ms=5_000))
    server = cast(_Server, store._client)
    store._link_changed(Link.CONNECTED, 7)
    bound = SessionBoundStore(store)
    await bound.delete("/own")
    server.session_id = session_id
    with pytest.raises(UnknownOutcomeError):
        await bound.delete("/topic")
    await store.delete("/other")
    assert server.deleted == ["/own", "/other"]


class PausedStore(MemoryStore):
    """As ZooKeeper's: a deletion of `path` waits for a connection, and that is of the next session.
    Meanwhile another process has taken the place."""

    path = ""
    of_session: int | None = None

    def bound_to(self, session_id: int) -> MetadataStore:
        self.of_session = session_id
        return self

    async def delete(self, path: str, version: int = ANY_VERSION) -> None:
        if path == self.path:
            self.path = ""
            node, other = await self.get(path), self.new_session()
            assert node is not None
            self.expire(renew=True)
            await other.create(path, node.value, ephemeral=True)
            if self.of_session not in (None, self.session_id):
                raise SessionExpiredError(path)
        await super().delete(path, version)


async def test_only_its_own_node_is_deleted() -> None:
    store = MemoryStore(ManualClock())
    await store.create("/a", b"mine", ephemeral=True)
    await delete_own(store.new_session(), "/a")
    assert await store.get("/a") is not None
    await delete_own(store, "/a")
    assert await store.get("/a") is None
    await delete_own(store, "/a")


async def _lock(store: MemoryStore) -> tuple[str, Callable[[], Awaitable[None]]]:
    await Underreplication(store, ManualClock()).mark(7, ["a"])
    locks = RepairLocks(store, "me")
    lock = await locks.take(7)
    assert lock is not None
    return lock.path, partial(locks.release, lock)


async def _leader(store: MemoryStore) -> tuple[str, Callable[[], Awaitable[None]]]:
    election = LeaderElection(store, LeaderRecord("a:8", "http://a:8"))
    assert await election.stand()
    return LEADER_PATH, election.resign


async def _bookie(store: MemoryStore) -> tuple[str, Callable[[], Awaitable[None]]]:
    registry = BookieRegistry(store)
    await registry.register("a:1", BookieServiceInfo())
    return "/ledgers/available/a:1", partial(registry.unregister, "a:1")


async def _broker(store: MemoryStore) -> tuple[str, Callable[[], Awaitable[None]]]:
    registry = BrokerRegistry(store)
    await registry.register("a:8", report_of("a:8"), 1)
    return f"{BROKERS_PATH}/a:8", partial(registry.unregister, "a:8")


@pytest.mark.parametrize("make", [_lock, _leader, _bookie, _broker])
async def test_what_the_next_session_has_made_stays(
    make: Callable[[MemoryStore], Awaitable[tuple[str, Callable[[], Awaitable[None]]]]],
) -> None:
    """It has the same name and the same version: only its owner is another."""
    store = PausedStore(ManualClock())
    path, leave = await make(store)
    store.path = path
    await leave()
    node = await store.get(path)
    assert node is not None
    assert node.stat.ephemeral_owner != store.session_id
