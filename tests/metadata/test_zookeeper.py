"""The store keeps the contract on the real Apache ZooKeeper, whatever the network does."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from kazoo.client import KazooClient
from magnetar_metadata import zookeeper
from magnetar_metadata.bookie_registration import BookieRegistration
from magnetar_metadata.bookie_registry import BookieEndpoint, BookieServiceInfo
from magnetar_metadata.errors import (
    MetadataError,
    NodeExistsError,
    SessionExpiredError,
    StoreUnreachableError,
    UnknownOutcomeError,
)
from magnetar_metadata.session_bound import SessionBoundStore
from magnetar_metadata.store import Create, MetadataStore, Node
from magnetar_metadata.zookeeper import ZooKeeperOptions, ZooKeeperStore

from bench.ports import free_port
from tests.interop.zookeeper_server import ApacheZooKeeper
from tests.metadata.clocks import ManualClock
from tests.metadata.store_contract import StoreContract, value_of
from tests.metadata.tcp_proxy import TcpProxy

pytestmark = pytest.mark.interop

QUICK = ZooKeeperOptions(session_timeout_ms=800, operation_timeout_ms=10_000)
LASTING = ZooKeeperOptions(session_timeout_ms=4_000, operation_timeout_ms=10_000)

_roots = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheZooKeeper]:
    server = ApacheZooKeeper(tmp_path_factory.mktemp("zookeeper"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def root() -> str:
    """A path of the server that no other test uses."""
    return f"/test/{next(_roots)}"


@pytest.fixture(autouse=True)
def quiet_threads(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """kazoo's threads swallow what our callbacks raise, and only log it."""
    yield
    errors = [record for record in caplog.get_records("call") if record.levelname == "ERROR"]
    assert [record.getMessage() for record in errors] == []


@pytest.fixture
async def store(server: ApacheZooKeeper, root: str) -> AsyncIterator[ZooKeeperStore]:
    store = await ZooKeeperStore.open(server.hosts, root, LASTING, make_root=True)
    yield store
    await store.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@asynccontextmanager
async def proxied(
    server: ApacheZooKeeper, root: str, options: ZooKeeperOptions = LASTING
) -> AsyncIterator[tuple[TcpProxy, ZooKeeperStore]]:
    """A store that reaches the server through a proxy."""
    async with TcpProxy(server.port) as proxy:
        store = await ZooKeeperStore.open(proxy.hosts, root, options)
        try:
            yield proxy, store
        finally:
            await store.close()


async def until(condition: Callable[[], Awaitable[bool]], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not await condition():
            await asyncio.sleep(0.01)


async def is_there(store: MetadataStore, path: str) -> bool:
    return await store.get(path) is not None


class TestZooKeeperStore(StoreContract):
    async def test_a_node_tells_its_version_and_times(
        self, store: MetadataStore, clock: ManualClock
    ) -> None:
        """The times are the server's."""
        began_ms = time.time_ns() // 1_000_000
        await store.create("/a", b"1")
        await asyncio.sleep(0.01)
        stat = await store.set("/a", b"2", 0)
        node = await store.get("/a")
        assert node is not None
        assert (node.value, node.stat) == (b"2", stat)
        assert (stat.version, stat.ephemeral_owner) == (1, 0)
        assert began_ms - 1 <= stat.created_ms < stat.modified_ms < began_ms + 60_000


async def test_a_store_without_a_server_says_so() -> None:
    options = ZooKeeperOptions(connect_timeout_ms=300)
    hosts = f"127.0.0.1:{free_port()}"
    with pytest.raises(StoreUnreachableError, match="no ZooKeeper server answered within 300 ms"):
        await ZooKeeperStore.open(hosts, "", options)


async def test_a_root_that_is_missing_is_not_made_unasked(
    server: ApacheZooKeeper, store: ZooKeeperStore
) -> None:
    with pytest.raises(StoreUnreachableError, match="no node /nowhere"):
        await ZooKeeperStore.open(server.hosts, "/nowhere", LASTING)


async def test_close_takes_the_ephemerals_along(
    server: ApacheZooKeeper, root: str, store: ZooKeeperStore
) -> None:
    other = await ZooKeeperStore.open(server.hosts, root, LASTING)
    await other.create("/e", b"x", ephemeral=True)
    await other.create("/p", b"x")
    assert other.session_id != store.session_id
    gone = asyncio.Event()
    store.watch("/e", lambda _: gone.set())
    assert await is_there(store, "/e")  # so the watch is armed
    await other.close()
    await asyncio.wait_for(gone.wait(), 5)
    assert not await is_there(store, "/e")
    assert await is_there(store, "/p")


async def test_close_does_not_wait_for_a_server_that_says_nothing(
    server: ApacheZooKeeper,
    root: str,
    store: ZooKeeperStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(zookeeper, "CLOSE_TIMEOUT_MS", 200)
    other = await ZooKeeperStore.open(server.hosts, root, LASTING)
    await other.create("/e", b"", ephemeral=True)
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(2):
            await other.close()
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    assert "the session will expire" in caplog.text
    await until(lambda: is_gone(store, "/e"))


async def test_a_value_that_zookeeper_does_not_take_is_refused(store: ZooKeeperStore) -> None:
    await store.create("/large", bytes(1_000_000))
    session_id = store.session_id
    with pytest.raises(MetadataError, match="1000001 bytes"):
        await store.set("/large", bytes(1_000_001))
    with pytest.raises(MetadataError, match="1200000 bytes"):
        await store.multi([Create("/1", bytes(600_000)), Create("/2", bytes(600_000))])
    assert len(await value_of(store, "/large")) == 1_000_000
    assert store.session_id == session_id


async def test_a_lost_reply_is_an_unknown_outcome(
    server: ApacheZooKeeper, root: str, store: ZooKeeperStore
) -> None:
    await store.create("/a", b"1")
    async with proxied(server, root) as (proxy, other):
        session_id = other.session_id
        proxy.deaf = True
        writing = asyncio.ensure_future(other.set("/a", b"2", 0))
        await until(lambda: changed(store, "/a", b"2"))
        proxy.deaf = False
        proxy.cut()
        with pytest.raises(UnknownOutcomeError) as error:
            await writing
        assert error.value.path == "/a"
        node = await other.get("/a")  # a read goes through as soon as there is a connection
        assert node is not None
        assert (node.value, node.stat.version) == (b"2", 1)
        assert other.session_id == session_id


async def changed(store: MetadataStore, path: str, value: bytes) -> bool:
    return await value_of(store, path) == value


async def test_a_read_whose_reply_is_lost_is_made_again(
    server: ApacheZooKeeper, root: str, store: ZooKeeperStore
) -> None:
    await store.create("/a/b", b"1")
    async with proxied(server, root) as (proxy, other):
        proxy.deaf = True
        reads = [
            asyncio.ensure_future(other.get("/a/b")),
            asyncio.ensure_future(other.children("/a")),
            asyncio.ensure_future(other.sync("/a")),
        ]
        await asyncio.sleep(0.1)
        assert not any(read.done() for read in reads)
        proxy.deaf = False
        proxy.cut()
        node, names, _ = await asyncio.gather(*reads)
        assert node is not None
        assert names == ["b"]


async def test_the_orphan_of_a_lost_reply_is_removed(
    server: ApacheZooKeeper, root: str, store: ZooKeeperStore
) -> None:
    async with proxied(server, root) as (proxy, other):
        known = await other.create("/q/V_", b"", ephemeral=True, sequential=True)
        foreign = await store.create("/q/V_", b"", ephemeral=True, sequential=True)
        proxy.deaf = True
        creating = asyncio.ensure_future(
            other.create("/q/V_", b"", ephemeral=True, sequential=True)
        )
        await until(lambda: has_children(store, "/q", 3))
        proxy.deaf = False
        proxy.cut()
        with pytest.raises(UnknownOutcomeError):
            await creating
        later = await other.create("/q/V_", b"", ephemeral=True, sequential=True)
        await until(lambda: has_children(store, "/q", 3))
        names = await store.children("/q")
        assert [f"/q/{name}" for name in names] == sorted([known, foreign, later])


async def has_children(store: MetadataStore, path: str, count: int) -> bool:
    return len(await store.children(path)) == count


async def test_the_node_of_a_create_that_was_given_up_is_removed(
    server: ApacheZooKeeper, root: str, store: ZooKeeperStore
) -> None:
    async with proxied(server, root) as (_, other):
        await other.create("/q", b"")
        creating = asyncio.ensure_future(
            other.create("/q/V_", b"", ephemeral=True, sequential=True)
        )
        await asyncio.sleep(0)
        creating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await creating
        kept = await other.create("/q/V_", b"", ephemeral=True, sequential=True)
        await until(lambda: has_children(store, "/q", 1))
        assert [f"/q/{name}" for name in await store.children("/q")] == [kept]
        assert int(kept[-10:]) == 1  # number 0 was made


async def test_a_call_without_a_connection_ends_in_time(
    server: ApacheZooKeeper, root: str, store: ZooKeeperStore
) -> None:
    options = ZooKeeperOptions(session_timeout_ms=4_000, operation_timeout_ms=300)
    async with proxied(server, root, options) as (proxy, other):
        proxy.refusing = True
        proxy.cut()
        for call in (other.get("/a"), other.create("/a", b"")):
            with pytest.raises(UnknownOutcomeError, match="no answer within 300 ms"):
                await call
        proxy.refusing = False
        await until(lambda: root_is_read(other))


async def root_is_read(store: MetadataStore) -> bool:
    try:
        return await store.get("/") is not None
    except UnknownOutcomeError:
        return False


async def test_changes_during_a_cut_are_hinted_at(
    server: ApacheZooKeeper, root: str, store: ZooKeeperStore
) -> None:
    await store.create("/a", b"")
    async with proxied(server, root) as (proxy, other):
        hints: asyncio.Queue[str] = asyncio.Queue(10)
        other.watch("/a", hints.put_nowait)
        await other.get("/a")
        proxy.refusing = True
        proxy.cut()
        await store.create("/a/b", b"")
        proxy.refusing = False
        assert await asyncio.wait_for(hints.get(), 10) == "/a"
        assert await other.children("/a") == ["b"]
        await store.delete("/a/b")  # and the watch is armed again
        assert await asyncio.wait_for(hints.get(), 10) == "/a"


async def test_an_expired_session_is_told_and_another_follows(
    server: ApacheZooKeeper, root: str, store: ZooKeeperStore
) -> None:
    async with proxied(server, root, QUICK) as (proxy, other):
        ended: list[int] = []
        hints: asyncio.Queue[str] = asyncio.Queue(10)
        other.when_session_ends(ended.append)
        other.watch("/e", hints.put_nowait)
        await other.create("/e", b"", ephemeral=True)
        assert await hints.get() == "/e"
        session_id = other.session_id
        proxy.refusing = True
        proxy.cut()
        await until(lambda: is_disconnected(other))
        stale = asyncio.ensure_future(other.create("/f", b"", ephemeral=True))
        lasting = asyncio.ensure_future(other.create("/p", b""))
        await until(lambda: is_gone(store, "/e"))
        assert ended == []  # nobody has told us yet
        proxy.refusing = False
        with pytest.raises(SessionExpiredError):  # it was to be a node of the old session
            await stale
        assert await lasting == "/p"
        assert ended == [session_id]
        assert other.session_id not in (session_id, -1)
        await other.create("/e", b"", ephemeral=True)
        node = await store.get("/e")
        assert node is not None
        assert node.stat.ephemeral_owner == other.session_id
        assert await asyncio.wait_for(hints.get(), 5) == "/e"


async def is_disconnected(store: ZooKeeperStore) -> bool:
    return not store.connected


async def is_gone(store: MetadataStore, path: str) -> bool:
    return await store.get(path) is None


async def test_a_session_that_the_server_ended_is_told(
    server: ApacheZooKeeper, store: ZooKeeperStore
) -> None:
    ended = asyncio.Event()
    store.when_session_ends(lambda _: ended.set())
    session_id = store.session_id
    kazoo = store._client._kazoo
    thief = KazooClient(hosts=server.hosts, client_id=kazoo.client_id, timeout=4)
    await asyncio.to_thread(thief.start)
    await asyncio.to_thread(thief.stop)
    await asyncio.to_thread(thief.close)
    await asyncio.wait_for(ended.wait(), 20)
    await store.create("/after", b"")
    assert store.session_id != session_id


async def test_the_session_outlives_a_restart_of_the_server(
    server: ApacheZooKeeper, store: ZooKeeperStore
) -> None:
    ended: list[int] = []
    store.when_session_ends(ended.append)
    await store.create("/e", b"1", ephemeral=True)
    session_id = store.session_id
    server.kill()
    reading = asyncio.ensure_future(store.get("/e"))
    writing = asyncio.ensure_future(store.create("/p", b""))
    server.start()  # not from another thread: the server dies with the thread that started it
    assert await reading is not None
    await asyncio.wait([writing])
    if writing.exception() is not None:  # it was on its way when the server died
        assert isinstance(writing.exception(), UnknownOutcomeError)
    with pytest.raises(NodeExistsError):
        await store.create("/e", b"2", ephemeral=True)
    assert (ended, store.session_id) == ([], session_id)


async def test_many_calls_at_once_are_answered_in_order(store: ZooKeeperStore) -> None:
    await store.create("/n", b"")
    stats = await asyncio.gather(*(store.set("/n", b"%d" % i) for i in range(500)))
    assert [stat.version for stat in stats] == list(range(1, 501))
    assert await value_of(store, "/n") == b"499"


async def test_a_bookie_is_registered_again_after_an_expiry(
    server: ApacheZooKeeper, root: str, store: ZooKeeperStore
) -> None:
    info = BookieServiceInfo((BookieEndpoint("bookie", "127.0.0.1", 3181),))
    async with proxied(server, root, QUICK) as (proxy, other):
        registration = BookieRegistration(other, "b:1", info, session_timeout_ms=800)
        await registration.start()
        path, session_id = "/ledgers/available/b:1", other.session_id
        proxy.refusing = True
        proxy.cut()
        await until(lambda: is_gone(store, path))
        proxy.refusing = False
        await until(lambda: is_there(store, path))
        node = await store.get(path)
        assert node is not None
        assert (node.value, node.stat.ephemeral_owner) == (info.encode(), other.session_id)
        assert other.session_id != session_id
        await registration.close()
        assert not await is_there(store, path)


async def test_a_topics_write_that_waits_for_a_connection_is_not_made_in_the_next_session(
    server: ApacheZooKeeper, root: str, store: ZooKeeperStore
) -> None:
    async with proxied(server, root, QUICK) as (proxy, other):
        await store.create("/topic", b"")
        await other.create("/e", b"", ephemeral=True)
        bound = SessionBoundStore(other)
        await bound.set("/topic", b"1")
        proxy.refusing = True
        proxy.cut()
        await until(lambda: is_disconnected(other))
        deletion = asyncio.ensure_future(bound.delete("/topic"))
        await until(lambda: is_gone(store, "/e"))
        proxy.refusing = False
        with pytest.raises(SessionExpiredError):
            await deletion
        await other.set("/topic", b"2")
        assert (await SessionBoundStore(other).set("/topic", b"3")).version == 3


async def test_an_outage_of_the_servers_ends_no_session(
    server: ApacheZooKeeper, root: str, store: ZooKeeperStore
) -> None:
    """Longer than the session timeout: while no server is there nobody counts it."""
    outage_s = int(os.environ.get("OUTAGE_SECONDS", "3"))
    options = ZooKeeperOptions(session_timeout_ms=2_000, operation_timeout_ms=120_000)
    other = await ZooKeeperStore.open(server.hosts, root, options)
    ended: list[int] = []
    other.when_session_ends(ended.append)
    hints: asyncio.Queue[str] = asyncio.Queue(10)
    other.watch("/e", hints.put_nowait)
    await other.create("/e", b"", ephemeral=True)
    await hints.get()
    server.kill()
    await until(lambda: is_disconnected(other))
    calls = [
        asyncio.ensure_future(other.get("/e")),
        asyncio.ensure_future(other.create("/p", b"")),
    ]
    await asyncio.sleep(outage_s)
    assert not any(call.done() for call in calls)
    server.start()
    node, path = await asyncio.gather(*calls)
    assert isinstance(node, Node)
    assert node.stat.ephemeral_owner == other.session_id
    assert (path, ended) == ("/p", [])
    assert await asyncio.wait_for(hints.get(), 10) == "/e"
    await other.close()
