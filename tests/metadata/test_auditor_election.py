"""The oldest vote leads; votes of lost replies and ended sessions mislead nobody."""

import asyncio
from typing import Any

import pytest
from magnetar_metadata import auditor_election
from magnetar_metadata.auditor_election import AuditorElection, in_order
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_metadata.memory import MemoryStore

from tests.metadata.clocks import ManualClock

ROOT = "/ledgers/underreplication/auditorelection"


async def soon(awaitable: Any) -> None:
    async with asyncio.timeout(5):
        await awaitable


async def waits(awaitable: Any) -> asyncio.Task[None]:
    task = asyncio.create_task(awaitable)
    await asyncio.sleep(0.01)
    assert not task.done()
    return task


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(ManualClock())


def test_votes_are_ordered_by_their_number() -> None:
    votes = ["V_0000000010", "V_0000000009", "V_99999999999", "V_x", "other"]
    assert in_order(votes) == ["V_0000000009", "V_0000000010", "V_99999999999"]


async def test_the_first_leads_and_the_next_follows(store: MemoryStore) -> None:
    one, two, three = store.new_session(), store.new_session(), store.new_session()
    first, second, third = (AuditorElection(s, f"b{n}") for n, s in enumerate((one, two, three), 1))
    await soon(first.won())
    waiting = await waits(second.won())
    last = await waits(third.won())
    assert await third.leader() == "b1"
    still = await waits(first.lost())
    await one.close()
    await soon(waiting)
    assert await third.leader() == "b2"
    assert not last.done()
    await second.withdraw()
    await soon(last)
    still.cancel()


async def test_the_end_of_a_session_is_the_end_of_the_lead(store: MemoryStore) -> None:
    leader, other = store.new_session(), store.new_session()
    first, second = AuditorElection(leader, "b1"), AuditorElection(other, "b2")
    await soon(first.won())
    follower = await waits(second.won())
    lost = await waits(first.lost())
    leader.expire(renew=True)
    await soon(lost)
    await soon(follower)
    again = await waits(first.won())  # behind the other now
    await second.withdraw()
    await soon(again)


async def test_who_lost_and_asks_again_has_one_vote(store: MemoryStore) -> None:
    election = AuditorElection(store, "b1")
    await soon(election.won())
    store.expire(renew=True)
    await soon(election.lost())
    await soon(election.won())
    await soon(election.won())
    assert len(await store.children(ROOT)) == 1


async def test_a_vote_whose_reply_was_lost_is_found(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lossy(MemoryStore):
        losing = 1

        async def create(self, path: str, value: bytes, **options: Any) -> str:
            created = await super().create(path, value, **options)
            if Lossy.losing:
                Lossy.losing -= 1
                raise UnknownOutcomeError(path)
            return created

    monkeypatch.setattr(auditor_election, "RETRY_DELAY_MS", 1)
    lossy = Lossy(ManualClock())
    await soon(AuditorElection(lossy, "b1").won())
    assert await lossy.children(ROOT) == ["V_0000000000"]


async def test_a_leader_that_cannot_ask_goes_on(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away(MemoryStore):
        away = False

        async def children(self, path: str) -> list[str]:
            if self.away:
                raise UnknownOutcomeError(path)
            return await super().children(path)

    monkeypatch.setattr(auditor_election, "RETRY_DELAY_MS", 1)
    away = Away(ManualClock())
    election = AuditorElection(away, "b1")
    await soon(election.won())
    away.away = True
    lost = await waits(election.lost())
    away.away = False
    await asyncio.sleep(0.01)
    assert not lost.done()
    lost.cancel()


async def test_nobody_leads_an_empty_election(store: MemoryStore) -> None:
    election = AuditorElection(store, "b1")
    assert await election.leader() is None
    await election.withdraw()
