"""One worker repairs a ledger, and what it writes is bound to its lock."""

import random

import pytest
from magnetar_metadata.errors import (
    BadVersionError,
    NoNodeError,
    SessionExpiredError,
    UnknownOutcomeError,
)
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.repair_locks import RepairLocks
from magnetar_metadata.store import Node, SetValue
from magnetar_metadata.underreplication import Underreplication

from tests.metadata.clocks import ManualClock

LOCK = "/ledgers/underreplication/locks/urL0000000007"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(ManualClock())


@pytest.fixture
def marked(store: MemoryStore) -> Underreplication:
    return Underreplication(store, ManualClock())


@pytest.fixture
def locks(store: MemoryStore) -> RepairLocks:
    return RepairLocks(store, "me")


async def test_a_ledger_is_locked_once(
    store: MemoryStore, marked: Underreplication, locks: RepairLocks
) -> None:
    other = RepairLocks(store.new_session(), "other")
    await marked.mark(7, ["a"])
    lock = await locks.take(7)
    assert lock is not None
    assert (lock.path, lock.marker_version) == (LOCK, 0)
    assert await other.take(7) is None
    assert await other.owner(7) == "me"
    await locks.release(lock)
    assert await other.owner(7) is None
    assert await other.take(7) is not None


async def test_what_is_not_marked_is_not_locked(store: MemoryStore, locks: RepairLocks) -> None:
    assert await locks.take(7) is None
    assert await store.get(LOCK) is None


async def test_the_marker_is_read_when_the_lock_is_there(
    store: MemoryStore, marked: Underreplication
) -> None:
    class Busy(MemoryStore):
        async def create(self, path: str, value: bytes, **options: bool) -> str:
            await marked.mark(7, ["b"])  # just before the lock is taken
            return await store.create(path, value, **options)

        get = store.get  # type: ignore[assignment]
        delete = store.delete  # type: ignore[assignment]

    await marked.mark(7, ["a"])
    lock = await RepairLocks(Busy(ManualClock()), "me").take(7)
    assert lock is not None
    assert lock.marker_version == 1


async def test_any_marked_ledger_is_found_that_is_free(
    store: MemoryStore, marked: Underreplication, locks: RepairLocks
) -> None:
    rng = random.Random(1)
    assert await locks.take_any(rng, ()) is None
    for ledger_id in (7, 8, 2**33, 2**40):
        await marked.mark(ledger_id, ["a"])
    assert await RepairLocks(store.new_session(), "other").take(8) is not None
    found = set()
    while (lock := await locks.take_any(rng, {2**33})) is not None:
        found.add(lock.ledger_id)
    assert found == {7, 2**40}


async def test_workers_begin_with_different_ledgers(
    store: MemoryStore, marked: Underreplication
) -> None:
    for ledger_id in range(20):
        await marked.mark(ledger_id, ["a"])
    first = set()
    for seed in range(10):
        locks = RepairLocks(store.new_session(), "w")
        lock = await locks.take_any(random.Random(seed), ())
        assert lock is not None
        first.add(lock.ledger_id)
        await locks.release(lock)
    assert len(first) > 3


@pytest.mark.parametrize("done", [True, False])
async def test_a_lock_whose_reply_is_lost_is_ones_own_if_it_is_there(
    store: MemoryStore, marked: Underreplication, done: bool
) -> None:
    class Lossy(MemoryStore):
        def __init__(self) -> None:
            pass

        async def create(self, path: str, value: bytes, **options: bool) -> str:
            if done:
                await store.create(path, value, **options)
            raise UnknownOutcomeError(path)

        get = store.get  # type: ignore[assignment]
        session_id = store.session_id  # type: ignore[assignment]

    await marked.mark(7, ["a"])
    lock = await RepairLocks(Lossy(), "me").take(7)
    assert (lock is not None) == done


class FailingSession(MemoryStore):
    """Loses the reply to the next call of a name, done before or not."""

    failing: tuple[str, bool] | None = None

    def _fails(self, name: str) -> bool | None:
        if self.failing is None or self.failing[0] != name:
            return None
        (_, done), self.failing = self.failing, None
        return done

    async def delete(self, path: str, version: int = -1) -> None:
        done = self._fails("delete")
        if done is not False:
            await super().delete(path, version)
        if done is not None:
            raise UnknownOutcomeError(path)

    async def get(self, path: str) -> Node | None:
        if self._fails("get marker" if "/ledgers/0000" in path else "get lock") is not None:
            raise UnknownOutcomeError(path)
        return await super().get(path)


class TestLostReplies:
    """1. The reply of a call on a lock is lost. 2. The session goes on, and so does the lock.
    3. Nobody else can ever repair the ledger."""

    @pytest.fixture
    def failing(self, store: MemoryStore) -> FailingSession:
        session = store.new_session()
        session.__class__ = FailingSession
        assert isinstance(session, FailingSession)
        return session

    @pytest.mark.parametrize("done", [True, False])
    async def test_a_release(
        self, failing: FailingSession, marked: Underreplication, locks: RepairLocks, done: bool
    ) -> None:
        mine = RepairLocks(failing, "mine")
        await marked.mark(7, ["a"])
        lock = await mine.take(7)
        assert lock is not None
        failing.failing = ("delete", done)
        with pytest.raises(UnknownOutcomeError):
            await mine.release(lock)
        assert await mine.take_any(random.Random(1), {7}) is None
        assert await locks.take(7) is not None
        assert await mine.take_any(random.Random(1), ()) is None
        assert await locks.owner(7) == "me"  # another's lock is not taken for one's own

    @pytest.mark.parametrize("call", ["get marker", "delete"])
    async def test_a_look_behind_the_lock(
        self, failing: FailingSession, marked: Underreplication, locks: RepairLocks, call: str
    ) -> None:
        mine = RepairLocks(failing, "mine")
        if call == "get marker":
            await marked.mark(7, ["a"])
        failing.failing = (call, False)
        with pytest.raises(UnknownOutcomeError):
            await mine.take(7)
        assert await locks.owner(7) == "mine"
        assert await mine.take_any(random.Random(1), {7}) is None
        assert await locks.owner(7) is None


class TestBoundToTheLock:
    async def test_a_change_happens_while_it_is_held(
        self, store: MemoryStore, marked: Underreplication, locks: RepairLocks
    ) -> None:
        await store.create("/x", b"1")
        await marked.mark(7, ["a"])
        lock = await locks.take(7)
        assert lock is not None
        await store.multi(locks.with_lock(lock, SetValue("/x", b"2", 0)))
        assert await RepairLocks(store.new_session(), "other").take(7) is None
        with pytest.raises(BadVersionError):
            await store.multi(locks.with_lock(lock, SetValue("/x", b"3", 0)))
        node = await store.get(LOCK)
        assert node is not None
        assert node.stat.ephemeral_owner == store.session_id
        await locks.release(lock)
        assert await store.get(LOCK) is None

    async def test_not_after_its_session(
        self, store: MemoryStore, marked: Underreplication, locks: RepairLocks
    ) -> None:
        await store.create("/x", b"1")
        await marked.mark(7, ["a"])
        lock = await locks.take(7)
        assert lock is not None
        store.expire(renew=True)
        assert not locks.held(lock)
        with pytest.raises(NoNodeError):
            await store.multi(locks.with_lock(lock, SetValue("/x", b"2", 0)))
        other = RepairLocks(store.new_session(), "other")
        assert await other.take(7) is not None
        await locks.release(lock)  # leaves the other's alone
        assert await other.owner(7) == "other"
        store.expire()
        with pytest.raises(SessionExpiredError):
            await store.multi(locks.with_lock(lock))
