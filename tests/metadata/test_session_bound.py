"""What was begun in one session is not written in the next; all else is the store's."""

import pytest
from magnetar_metadata.errors import SessionExpiredError
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.session_bound import SessionBoundStore
from magnetar_metadata.store import Create

from tests.metadata.clocks import ManualClock
from tests.metadata.store_contract import StoreContract


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
