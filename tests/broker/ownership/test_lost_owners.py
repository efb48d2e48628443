"""A lookup waits for the end of an owner that does not answer, and for nothing else."""

import asyncio
from collections.abc import Awaitable

import pytest
from magnetar_broker.ownership import lost_owners
from magnetar_broker.ownership.lost_owners import LostOwners
from magnetar_broker.ownership.topic_ownership import Whereabouts
from magnetar_broker.topic_name import TopicName
from magnetar_metadata.broker_addresses import BrokerAddresses, BundleOwner, Urls
from magnetar_metadata.bundle_nodes import BundleNodes
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.namespace_bundles import Bundle

from tests.broker.ownership.conftest import Cluster, Member

TOPIC = TopicName.parse("public/default/topic")
AWAY = BrokerAddresses(urls=Urls(broker="pulsar://away:1"))


class Probes:
    """Who answers is said by the test."""

    def __init__(self) -> None:
        self.lost = {"pulsar://away:1"}

    async def is_lost(self, url: str) -> bool:
        return url in self.lost


@pytest.fixture
def probes(one: Member, monkeypatch: pytest.MonkeyPatch) -> Probes:
    made = Probes()
    monkeypatch.setattr(one.ownership._lost_owners, "_probes", made)
    monkeypatch.setattr(lost_owners, "_LOOK_AGAIN_MS", 5)
    return made


@pytest.fixture
async def owned(cluster: Cluster, one: Member) -> tuple[BundleNodes, Bundle]:
    """A bundle of another session, whose broker is not there."""
    nodes, bundle = BundleNodes(cluster.store.new_session()), await one.bundle_of(str(TOPIC))
    found = await one.service.bundle_maps.of("public/default")
    assert await nodes.acquire(bundle, BundleOwner(AWAY), found.version)
    return nodes, bundle


Owned = tuple[BundleNodes, Bundle]


def look_up(member: Member) -> Awaitable[Whereabouts]:
    return member.ownership.look_up(TOPIC, authoritative=False, listener="", may_wait=True)


async def begun(member: Member) -> asyncio.Task[Whereabouts]:
    task = asyncio.ensure_future(look_up(member))
    async with asyncio.timeout(20):
        while not member.ownership._lost_owners.waiting:
            await asyncio.sleep(0)
    await asyncio.sleep(0.02)
    assert not task.done()
    return task


async def test_it_is_answered_when_the_session_ends(
    one: Member, owned: Owned, probes: Probes
) -> None:
    waiting = [await begun(one) for _ in range(3)]
    await owned[0].release(owned[1])
    async with asyncio.timeout(20):
        answers = await asyncio.gather(*waiting)
    assert all(where.here for where in answers)
    assert one.ownership._lost_owners.waiting == 0


async def test_it_is_answered_when_the_owner_is_there_again(
    one: Member, owned: Owned, probes: Probes
) -> None:
    waiting = await begun(one)
    probes.lost.clear()
    async with asyncio.timeout(20):
        where = await waiting
    assert where == Whereabouts(urls=AWAY.urls, here=False)


async def test_who_answers_is_not_waited_for(one: Member, owned: Owned, probes: Probes) -> None:
    probes.lost.clear()
    assert (await look_up(one)).urls == AWAY.urls


async def test_it_ends_in_time(
    one: Member, owned: Owned, probes: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_owners, "WAIT_MS", 20)
    assert (await look_up(one)).urls == AWAY.urls
    assert one.ownership._lost_owners.waiting == 0


async def test_no_more_than_so_many_wait(
    one: Member, owned: Owned, probes: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_owners, "MOST_WAITING", 1)
    waiting = await begun(one)
    assert (await look_up(one)).urls == AWAY.urls
    waiting.cancel()
    await asyncio.wait([waiting])
    assert one.ownership._lost_owners.waiting == 0


async def test_no_more_wait_when_all_come_at_once(one: Member) -> None:
    """All of them pass the first look while the first probe is under way."""

    class Slow(Probes):
        async def is_lost(self, url: str) -> bool:
            await asyncio.sleep(0.01)
            return True

    probes, nodes, bundle = Slow(), BundleNodes(one.store), await one.bundle_of(str(TOPIC))
    lost = LostOwners(nodes, probes, one.service.config.addresses)  # type: ignore[arg-type]
    owner, found = BundleOwner(AWAY), await one.service.bundle_maps.of("public/default")
    assert await nodes.acquire(bundle, owner, found.version)
    calls = [asyncio.ensure_future(lost.outlast(bundle, owner)) for _ in range(3_000)]
    async with asyncio.timeout(20):
        while sum(call.done() for call in calls) + lost.waiting < 3_000:
            await asyncio.sleep(0.01)
    assert lost.waiting == lost_owners.MOST_WAITING
    await nodes.release(bundle)
    async with asyncio.timeout(20):
        assert sum(await asyncio.gather(*calls)) == lost_owners.MOST_WAITING
    assert lost.waiting == 0


async def test_calls_over_http_do_not_wait(one: Member, owned: Owned, probes: Probes) -> None:
    where = await one.ownership.look_up(TOPIC, authoritative=False, listener="")
    assert where.urls == AWAY.urls


async def test_a_former_process_of_this_broker_is_waited_for(cluster: Cluster, one: Member) -> None:
    """Scenario: it was killed and started again; its former session lasts yet."""
    addresses = one.service.config.addresses
    nodes, bundle = BundleNodes(cluster.store.new_session()), await one.bundle_of(str(TOPIC))
    found = await one.service.bundle_maps.of("public/default")
    await nodes.acquire(bundle, BundleOwner(addresses), found.version)
    waiting = await begun(one)
    await nodes.release(bundle)
    async with asyncio.timeout(20):
        assert (await waiting).here


async def test_what_went_before_the_watch_is_seen(one: Member) -> None:
    probes, bundle = Probes(), await one.bundle_of(str(TOPIC))
    nodes = BundleNodes(one.store)
    lost = LostOwners(nodes, probes, one.service.config.addresses)  # type: ignore[arg-type]
    assert isinstance(one.store, MemoryStore)
    async with asyncio.timeout(20):
        assert await lost.outlast(bundle, BundleOwner(AWAY))
