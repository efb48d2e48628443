"""A session over simulated links keeps the contract; what befalls it is told as ZooKeeper does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from random import Random
from typing import Any

import pytest
from magnetar_metadata.errors import SessionExpiredError, UnknownOutcomeError
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.sim_session import SessionShape, SimMetadata, SimSession
from magnetar_runtime import sim
from magnetar_runtime.sim.links import Link, LinkShape

from tests.metadata.clocks import ManualClock
from tests.metadata.store_contract import StoreContract, value_of

QUICK = LinkShape(latency_min_us=0, latency_max_us=0)
TIMEOUT_S = 6.0


class TestSimSession(StoreContract):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    async def store(self, clock: ManualClock) -> AsyncIterator[SimSession]:
        loop, rng = asyncio.get_running_loop(), Random(1)
        there, back = (Link(loop, rng, QUICK) for _ in range(2))
        session = SimSession(loop, MemoryStore(clock), there, back, rng, SessionShape())
        yield session
        await session.close()


class Two:
    """Two nodes, each with a session."""

    def __init__(self, world: sim.Simulation, **shape: float) -> None:
        self.world = world
        self.host = world.network.host("metadata")
        store = MemoryStore(world.node("metadata").clock)
        metadata = SimMetadata(world.network, self.host, store)
        self.hosts = [world.network.host(name) for name in ("one", "two")]
        self.one, self.two = (
            metadata.session(host, world.rng(host.name), SessionShape(timeout_s=TIMEOUT_S, **shape))
            for host in self.hosts
        )

    def cut_off_one(self, *, one_way: bool = False) -> None:
        self.world.network.partition([self.hosts[0]], [self.host], one_way=one_way)

    async def close(self) -> None:
        await self.one.close()
        await self.two.close()


def run(main: Callable[[Two], Coroutine[Any, Any, None]], seeds: int = 5, **shape: float) -> None:
    for seed in range(seeds):

        async def begin(world: sim.Simulation) -> None:
            two = Two(world, **shape)
            await main(two)
            await two.close()

        sim.run(begin, seed=seed)


def test_a_call_takes_the_time_of_its_own_link() -> None:
    async def main(two: Two) -> None:
        network = two.world.network
        slow = LinkShape(latency_min_us=100_000, latency_max_us=100_000)
        network.link(two.hosts[0], two.host).shape = slow
        network.link(two.host, two.hosts[1]).shape = QUICK
        network.link(two.hosts[1], two.host).shape = QUICK
        begun_s = two.world.loop.time()
        await two.two.create("/a", b"")
        assert two.world.loop.time() - begun_s < 0.05
        await two.one.get("/a")
        assert two.world.loop.time() - begun_s > 0.1

    run(main)


def test_a_lost_reply_is_an_unknown_outcome_of_what_was_done() -> None:
    async def main(two: Two) -> None:
        two.one.replies_to_lose = 1
        with pytest.raises(UnknownOutcomeError):
            await two.one.create("/a", b"1")
        assert await value_of(two.two, "/a") == b"1"
        assert await value_of(two.one, "/a") == b"1"
        assert two.one.unknown_outcomes == 1
        assert two.one.sessions_lost == 0

    run(main)


def test_what_is_cut_off_for_long_loses_its_session_and_goes_on_with_another() -> None:
    async def main(two: Two) -> None:
        ended: list[int] = []
        two.one.when_session_ends(ended.append)
        old = two.one.session_id
        await two.one.create("/leader", b"one", ephemeral=True)
        two.cut_off_one()
        with pytest.raises(UnknownOutcomeError):
            await two.one.set("/leader", b"still one")
        await asyncio.sleep(2 * TIMEOUT_S)
        assert await two.two.get("/leader") is None
        assert (two.one.session_id, ended) == (old, []), "it cannot know yet"
        two.world.network.heal()
        await asyncio.sleep(TIMEOUT_S)
        assert ended == [old] != [two.one.session_id]
        await two.one.create("/leader", b"again", ephemeral=True)
        node = await two.two.get("/leader")
        assert node is not None
        assert node.stat.ephemeral_owner == two.one.session_id

    run(main)


def test_a_short_cut_loses_no_session() -> None:
    async def main(two: Two) -> None:
        await two.one.create("/leader", b"one", ephemeral=True)
        two.cut_off_one(one_way=True)
        await asyncio.sleep(TIMEOUT_S / 3)
        two.world.network.heal()
        await asyncio.sleep(TIMEOUT_S)
        assert await two.two.get("/leader") is not None
        assert two.one.sessions_lost == 0

    run(main)


def test_a_call_of_an_ended_session_is_not_made() -> None:
    async def main(two: Two) -> None:
        two.one.expire()
        with pytest.raises(SessionExpiredError):
            await two.one.create("/a", b"")
        assert two.one.sessions_lost == 1
        assert await two.two.get("/a") is None
        await two.one.create("/a", b"")

    run(main)


def test_hints_come_late() -> None:
    async def main(two: Two) -> None:
        loop = two.world.loop
        hints: list[float] = []
        two.one.watch("/a", lambda _path: hints.append(loop.time()))
        await two.two.create("/a", b"")
        begun_s = loop.time()
        await asyncio.sleep(4)
        assert len(hints) == 1
        late.append(hints[0] - begun_s)

    late: list[float] = []
    run(main, seeds=10, hint_late_max_s=3.0)
    assert max(late) > 1


def test_a_change_that_nobody_could_tell_of_is_hinted_at_afterwards() -> None:
    async def main(two: Two) -> None:
        hints: list[str] = []
        await two.two.create("/a", b"")
        two.one.watch("/a", hints.append)
        two.cut_off_one()
        await two.two.set("/a", b"2")
        await asyncio.sleep(2 * TIMEOUT_S)
        assert hints == []
        two.world.network.heal()
        await asyncio.sleep(TIMEOUT_S)
        assert "/a" in hints

    run(main)


def test_a_close_that_is_not_heard_ends_the_session_in_time() -> None:
    async def main(two: Two) -> None:
        await two.one.create("/leader", b"one", ephemeral=True)
        two.cut_off_one()
        await two.one.close()
        assert await two.two.get("/leader") is not None
        await asyncio.sleep(TIMEOUT_S)
        assert await two.two.get("/leader") is None

    run(main)


def test_replies_are_lost_by_lot() -> None:
    async def main(two: Two) -> None:
        for number in range(40):
            try:
                await two.one.create(f"/{number}", b"")
            except UnknownOutcomeError:
                assert await two.two.get(f"/{number}") is not None
        assert 2 <= two.one.unknown_outcomes <= 30

    run(main, reply_lost_chance=0.3)


def test_of_a_process_that_is_no_more_the_store_hears_once_and_ends_the_session() -> None:
    async def main(two: Two) -> None:
        await two.one.create("/up", b"", ephemeral=True)
        last = asyncio.ensure_future(two.one.create("/sent", b""))
        two.world.network.partition([two.host], [two.hosts[0]], one_way=True)
        await asyncio.sleep(1)
        two.one.abandon()
        late = asyncio.ensure_future(two.one.create("/late", b""))
        two.world.network.heal()
        await asyncio.sleep(TIMEOUT_S / 2)
        assert await value_of(two.two, "/sent") == b""
        assert await value_of(two.two, "/up") == b""
        await asyncio.sleep(2 * TIMEOUT_S)
        assert await two.two.children("/") == ["sent"]
        assert not last.done(), "nobody is told"
        assert not late.done()
        for call in (last, late):
            call.cancel()

    run(main)
