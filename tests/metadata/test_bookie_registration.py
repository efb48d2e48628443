"""A registration outlives sessions, lost replies and changes of mind."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from magnetar_metadata import bookie_registration
from magnetar_metadata.bookie_registration import BookieRegistration
from magnetar_metadata.bookie_registry import BookieEndpoint, BookieRegistry, BookieServiceInfo
from magnetar_metadata.errors import NodeExistsError, UnknownOutcomeError
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.store import ANY_VERSION

from tests.metadata.clocks import ManualClock

INFO = BookieServiceInfo((BookieEndpoint("bookie", "127.0.0.1", 3181),))
OTHER = BookieServiceInfo((BookieEndpoint("bookie", "127.0.0.2", 3181),))


class ClusterStore:
    """A memory store as a cluster's: sessions follow each other, replies are lost."""

    def __init__(self) -> None:
        self._memory = MemoryStore(ManualClock())
        self.reader = self._memory.new_session()
        self.losing = 0  # replies to creates that will be lost
        self.away = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._memory, name)

    async def create(self, path: str, value: bytes, **options: Any) -> str:
        created = await self._memory.create(path, value, **options)
        if self.losing:
            self.losing -= 1
            raise UnknownOutcomeError(path)
        return created

    async def delete(self, path: str, version: int = ANY_VERSION) -> None:
        if self.away:
            await asyncio.sleep(3)
        await self._memory.delete(path, version)

    def expire_at_once(self) -> None:
        self._memory.expire(renew=True)

    async def expire(self) -> None:
        self.expire_at_once()
        await asyncio.sleep(0)  # the callbacks


@pytest.fixture
async def store(monkeypatch: pytest.MonkeyPatch) -> ClusterStore:
    monkeypatch.setattr(bookie_registration, "RETRY_DELAY_MS", 1)
    return ClusterStore()


@pytest.fixture
async def registration(store: ClusterStore) -> AsyncIterator[BookieRegistration]:
    planted: Any = store
    registration = BookieRegistration(planted, "b:1", INFO)
    yield registration
    await registration.close()


async def lists(store: ClusterStore) -> tuple[list[str], list[str]]:
    registry = BookieRegistry(store.reader)
    return await registry.writable(), await registry.read_only()


async def until_lists(store: ClusterStore, writable: list[str], read_only: list[str]) -> None:
    async with asyncio.timeout(5):
        while await lists(store) != (writable, read_only):
            await asyncio.sleep(0.001)


async def test_it_is_registered_again_with_a_new_session(
    store: ClusterStore, registration: BookieRegistration
) -> None:
    await registration.start()
    assert registration.registered
    for _ in range(2):
        store.expire_at_once()
        assert not registration.registered
        await until_lists(store, ["b:1"], [])
        assert registration.registered
    assert await BookieRegistry(store.reader).service_info("b:1") == INFO


async def test_read_only_is_kept_over_sessions(
    store: ClusterStore, registration: BookieRegistration
) -> None:
    await registration.start()
    registration.set_read_only(True)
    await until_lists(store, [], ["b:1"])
    await store.expire()
    await until_lists(store, [], ["b:1"])
    registration.set_read_only(False)
    await until_lists(store, ["b:1"], [])


async def test_a_lost_reply_is_got_over(
    store: ClusterStore, registration: BookieRegistration
) -> None:
    await registration.start()
    store.losing = 2
    await store.expire()
    await until_lists(store, ["b:1"], [])
    registration.set_read_only(True)
    await until_lists(store, [], ["b:1"])
    assert store.losing == 0


async def test_another_bookie_of_that_id_is_told(
    store: ClusterStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted: Any = store
    await BookieRegistry(store.reader).register("b:1", INFO)
    registration = BookieRegistration(planted, "b:1", INFO, session_timeout_ms=1)
    with pytest.raises(NodeExistsError, match="another session"):
        await registration.start()


async def test_one_that_is_refused_leaves_the_other_registered(store: ClusterStore) -> None:
    planted: Any = store
    await BookieRegistry(store.reader).register("b:1", INFO)
    registration = BookieRegistration(planted, "b:1", INFO, session_timeout_ms=1)
    with pytest.raises(NodeExistsError):
        await registration.start()
    await registration.close()
    assert await lists(store) == (["b:1"], [])


async def test_one_that_was_displaced_leaves_the_other_registered(
    store: ClusterStore, registration: BookieRegistration
) -> None:
    await registration.start()
    store.expire_at_once()
    await BookieRegistry(store.reader).register("b:1", OTHER)
    await registration.close()
    assert await BookieRegistry(store.reader).service_info("b:1") == OTHER


async def test_what_somebody_else_deleted_is_made_again(
    store: ClusterStore, registration: BookieRegistration
) -> None:
    await registration.start()
    await store.reader.delete("/ledgers/available/b:1")
    await until_lists(store, ["b:1"], [])
    registration.set_read_only(True)
    await until_lists(store, [], ["b:1"])
    await store.reader.delete("/ledgers/available/readonly/b:1")
    await until_lists(store, [], ["b:1"])
    assert registration.registered


async def test_close_unregisters_for_good(
    store: ClusterStore, registration: BookieRegistration
) -> None:
    await registration.start(read_only=True)
    assert await lists(store) == ([], ["b:1"])
    await registration.close()
    assert await lists(store) == ([], [])
    await store.expire()
    await asyncio.sleep(0.01)
    assert await lists(store) == ([], [])


async def test_close_does_not_wait_for_a_store_that_is_away(
    store: ClusterStore,
    registration: BookieRegistration,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(bookie_registration, "UNREGISTER_TIMEOUT_MS", 10)
    await registration.start()
    store.away = True
    await registration.close()
    assert "bookie b:1 stays registered for this session" in caplog.text
    store.away = False


async def test_who_wants_to_know_waits_until_the_cluster_was_told(
    store: ClusterStore, registration: BookieRegistration
) -> None:
    assert not await registration.told(1)
    await registration.start()
    assert await registration.told(0)
    registration.set_read_only(True)
    assert await registration.told(5000)
    assert await lists(store) == ([], ["b:1"])
    store.losing = 1
    registration.set_read_only(False)
    assert not await registration.told(0)
    assert await registration.told(5000)
    assert await lists(store) == (["b:1"], [])
