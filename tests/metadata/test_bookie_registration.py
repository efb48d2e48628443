"""A registration outlives sessions, lost replies and changes of mind."""

import asyncio
from collections.abc import AsyncIterator, Callable
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


class GoingOnStore:
    """A store of a cluster as a memory store: one session follows the other."""

    def __init__(self) -> None:
        self._session = MemoryStore(ManualClock())
        self.reader = self._session.new_session()
        self._callbacks: list[Callable[[int], None]] = []
        self.losing = 0  # replies to creates that will be lost
        self.away = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def when_session_ends(self, callback: Callable[[int], None]) -> None:
        self._callbacks.append(callback)

    async def create(self, path: str, value: bytes, **options: Any) -> str:
        created = await self._session.create(path, value, **options)
        if self.losing:
            self.losing -= 1
            raise UnknownOutcomeError(path)
        return created

    async def delete(self, path: str, version: int = ANY_VERSION) -> None:
        if self.away:
            await asyncio.sleep(3)
        await self._session.delete(path, version)

    def expire(self) -> None:
        session, self._session = self._session, self._session.new_session()
        session.expire()
        for callback in self._callbacks:
            callback(session.session_id)


@pytest.fixture
async def store(monkeypatch: pytest.MonkeyPatch) -> GoingOnStore:
    monkeypatch.setattr(bookie_registration, "RETRY_DELAY_MS", 1)
    return GoingOnStore()


@pytest.fixture
async def registration(store: GoingOnStore) -> AsyncIterator[BookieRegistration]:
    planted: Any = store
    registration = BookieRegistration(planted, "b:1", INFO)
    yield registration
    await registration.close()


async def lists(store: GoingOnStore) -> tuple[list[str], list[str]]:
    registry = BookieRegistry(store.reader)
    return await registry.writable(), await registry.read_only()


async def until_lists(store: GoingOnStore, writable: list[str], read_only: list[str]) -> None:
    async with asyncio.timeout(5):
        while await lists(store) != (writable, read_only):
            await asyncio.sleep(0.001)


async def test_it_is_registered_again_with_a_new_session(
    store: GoingOnStore, registration: BookieRegistration
) -> None:
    await registration.start()
    assert registration.registered
    for _ in range(2):
        store.expire()
        assert not registration.registered
        assert await lists(store) == ([], [])
        await until_lists(store, ["b:1"], [])
        assert registration.registered
    assert await BookieRegistry(store.reader).service_info("b:1") == INFO


async def test_read_only_is_kept_over_sessions(
    store: GoingOnStore, registration: BookieRegistration
) -> None:
    await registration.start()
    registration.set_read_only(True)
    await until_lists(store, [], ["b:1"])
    store.expire()
    await until_lists(store, [], ["b:1"])
    registration.set_read_only(False)
    await until_lists(store, ["b:1"], [])


async def test_a_lost_reply_is_got_over(
    store: GoingOnStore, registration: BookieRegistration
) -> None:
    await registration.start()
    store.losing = 2
    store.expire()
    await until_lists(store, ["b:1"], [])
    registration.set_read_only(True)
    await until_lists(store, [], ["b:1"])
    assert store.losing == 0


async def test_another_bookie_of_that_id_is_told(
    store: GoingOnStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted: Any = store
    await BookieRegistry(store.reader).register("b:1", INFO)
    registration = BookieRegistration(planted, "b:1", INFO, session_timeout_ms=1)
    with pytest.raises(NodeExistsError, match="another session"):
        await registration.start()


async def test_close_unregisters_for_good(
    store: GoingOnStore, registration: BookieRegistration
) -> None:
    await registration.start(read_only=True)
    assert await lists(store) == ([], ["b:1"])
    await registration.close()
    assert await lists(store) == ([], [])
    store.expire()
    await asyncio.sleep(0.01)
    assert await lists(store) == ([], [])


async def test_close_does_not_wait_for_a_store_that_is_away(
    store: GoingOnStore,
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
