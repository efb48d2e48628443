"""One leader at a time, another when it goes, however it goes."""

import asyncio

from magnetar_metadata.broker_addresses import LeaderRecord
from magnetar_metadata.leader_election import LEADER_PATH, LeaderElection
from magnetar_metadata.memory import MemoryStore

from tests.metadata.clocks import ManualClock

A, B = LeaderRecord("a:8", "http://a:8"), LeaderRecord("b:8", "http://b:8")


async def test_the_first_leads_until_it_resigns() -> None:
    store = MemoryStore(ManualClock())
    one, two = LeaderElection(store, A), LeaderElection(store.new_session(), B)
    assert await one.leader() is None
    assert await one.stand()
    assert await one.stand()
    assert not await two.stand()
    assert await two.leader() == A
    hints: list[None] = []
    end_watch = two.watch(lambda: hints.append(None))
    await two.resign()  # it does not lead
    assert await one.leader() == A
    await one.resign()
    await one.resign()
    await asyncio.sleep(0)
    assert hints
    assert await two.stand()
    assert await one.leader() == B
    end_watch()


async def test_the_end_of_its_session_ends_it() -> None:
    store = MemoryStore(ManualClock())
    session = store.new_session()
    one, two = LeaderElection(session, A), LeaderElection(store, B)
    assert await one.stand()
    session.expire(renew=True)
    assert await two.stand()
    assert not await one.stand()


async def test_an_empty_node_names_nobody() -> None:
    store = MemoryStore(ManualClock())
    await store.create(LEADER_PATH, b"")
    assert await LeaderElection(store, A).leader() is None
