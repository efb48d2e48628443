"""The memory store keeps the contract, and its sessions end."""

import asyncio

import pytest
from magnetar_metadata.errors import SessionExpiredError
from magnetar_metadata.memory import MemoryStore

from tests.metadata.clocks import ManualClock
from tests.metadata.store_contract import StoreContract


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock)


class TestMemoryStore(StoreContract):
    pass


async def test_sessions_share_the_tree_and_own_their_ephemerals(store: MemoryStore) -> None:
    other = store.new_session()
    assert other.session_id != store.session_id
    await other.create("/e", b"x", ephemeral=True)
    await other.create("/p", b"x")
    hints: list[str] = []
    store.watch("/e", hints.append)
    await other.close()
    assert await store.get("/e") is None
    assert await store.get("/p") is not None
    await asyncio.sleep(0)
    assert hints == ["/e"]


async def test_an_expired_session_is_told_and_refused(store: MemoryStore) -> None:
    other = store.new_session()
    await other.create("/e", b"x", ephemeral=True)
    ended: list[int] = []
    other.when_session_ends(ended.append)
    other.expire()
    assert ended == []
    await asyncio.sleep(0)
    assert ended == [other.session_id]
    assert await store.get("/e") is None
    with pytest.raises(SessionExpiredError):
        await other.set("/p", b"")


async def test_a_session_may_be_followed_by_another(store: MemoryStore) -> None:
    ended: list[int] = []
    store.when_session_ends(ended.append)
    await store.create("/e", b"x", ephemeral=True)
    old = store.session_id
    store.expire(renew=True)
    assert await store.get("/e") is None
    await asyncio.sleep(0)
    assert ended == [old] != [store.session_id]
    await store.create("/e", b"y", ephemeral=True)
    node = await store.get("/e")
    assert node is not None
    assert node.stat.ephemeral_owner == store.session_id


async def test_hints_of_one_turn_are_merged(store: MemoryStore) -> None:
    hints: list[str] = []
    store.watch("/a", hints.append)
    await store.create("/a", b"")
    await store.set("/a", b"1")
    await asyncio.sleep(0)
    assert hints == ["/a"]
