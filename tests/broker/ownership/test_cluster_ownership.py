"""Of brokers that share a store each topic has one owner, whoever is asked, whatever changes."""

import asyncio
from collections import Counter
from collections.abc import Awaitable

import pytest
from magnetar_broker.errors import NotAllowedError, ServiceNotReadyError
from magnetar_broker.ownership import cluster_ownership
from magnetar_broker.ownership.topic_ownership import Whereabouts
from magnetar_broker.topic_name import TopicName
from magnetar_metadata.broker_addresses import BrokerAddresses, BundleOwner, Urls
from magnetar_metadata.bundle_nodes import BundleNodes
from magnetar_metadata.namespace_bundles import middle
from magnetar_runtime.scope import TaskScope

from tests.broker.ownership.conftest import Cluster, Member

TOPICS = [TopicName.parse(f"public/default/topic-{number}") for number in range(40)]


async def settle(asked: Member, name: TopicName, cluster: Cluster) -> Member:
    """Who serves a topic, found as clients do."""
    member, authoritative = asked, False
    for _ in range(5):
        where = await member.ownership.look_up(name, authoritative=authoritative, listener="")
        if where.here:
            return member
        by_url = {each.service.config.broker_url: each for each in cluster.members}
        member, authoritative = by_url[where.urls.broker], where.authoritative
        if not where.redirect:
            return member
    raise AssertionError("sent from one to the other for ever")


async def test_one_owner_whoever_is_asked(cluster: Cluster, one: Member, two: Member) -> None:
    three = await cluster.add("three")
    owners = {}
    for number, name in enumerate(TOPICS):
        asked = cluster.members[number % 3]
        owners[name] = await settle(asked, name, cluster)
    for name, owner in owners.items():
        for asked in (one, two, three):
            assert await settle(asked, name, cluster) is owner
        assert [each.ownership.serves(name) for each in cluster.members].count(True) == 1
        await owner.ownership.check(name)
        for other in cluster.members:
            if other is not owner:
                with pytest.raises(ServiceNotReadyError, match="not served by this instance"):
                    await other.ownership.check(name)
    counts = Counter(map(id, owners.values()))
    assert len(counts) == 3
    assert sum(len(each.ownership.owned) for each in cluster.members) == 4


async def test_lookups_at_one_time_agree(cluster: Cluster, one: Member, two: Member) -> None:
    lookups = [settle(member, name, cluster) for name in TOPICS for member in cluster.members * 2]
    found = await asyncio.gather(*lookups)
    for index in range(0, len(found), 4):
        assert len(set(map(id, found[index : index + 4]))) == 1


async def test_who_is_no_leader_sends_to_the_leader(
    cluster: Cluster, one: Member, two: Member
) -> None:
    assert (one.cluster.is_leader, two.cluster.is_leader) == (True, False)
    where = await two.ownership.look_up(TOPICS[0], authoritative=False, listener="")
    assert where == Whereabouts(
        urls=one.service.config.addresses.urls, here=False, redirect=True, authoritative=False
    )
    assert not two.ownership.owned.bundles
    where = await two.ownership.look_up(TOPICS[0], authoritative=True, listener="")
    assert where.here


async def test_an_owner_is_told_by_all(cluster: Cluster, one: Member, two: Member) -> None:
    await two.ownership.look_up(TOPICS[0], authoritative=True, listener="")
    where = await one.ownership.look_up(TOPICS[0], authoritative=True, listener="")
    assert where == Whereabouts(urls=two.service.config.addresses.urls, here=False)


async def test_a_bundle_that_is_left_goes_to_another(
    cluster: Cluster, one: Member, two: Member
) -> None:
    name = TOPICS[0]
    await two.ownership.look_up(name, authoritative=True, listener="")
    await two.service.topic(name, create=True)
    bundle = await two.bundle_of(str(name))
    await two.ownership.unload(bundle)
    await two.ownership.unload(bundle)
    assert not two.service.topics.loaded
    assert two.ledger("topic-0").closed
    assert not two.ownership.serves(name)
    assert (await one.ownership.look_up(name, authoritative=True, listener="")).here


async def test_while_it_is_left_nobody_gets_it(cluster: Cluster, one: Member, two: Member) -> None:
    name = TOPICS[0]
    await two.ownership.look_up(name, authoritative=True, listener="")
    bundle = await two.bundle_of(str(name))
    two.ownership.owned.begin_leave(bundle)
    with pytest.raises(ServiceNotReadyError, match="is being unloaded"):
        await two.ownership.look_up(name, authoritative=True, listener="")
    with pytest.raises(ServiceNotReadyError, match="not served by this instance"):
        await two.service.topic(name, create=True)


async def test_a_lookup_waits_for_the_end_of_an_unload(
    cluster: Cluster, one: Member, two: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = TOPICS[0]
    await two.ownership.look_up(name, authoritative=True, listener="")
    bundle, closing = await two.bundle_of(str(name)), asyncio.Event()

    async def close(_: object) -> None:
        await closing.wait()

    monkeypatch.setattr(two.service.topics, "close_those", close)
    async with TaskScope() as scope:
        unload = scope.spawn(two.ownership.unload(bundle), name="unload")
        await asyncio.sleep(0)
        ask = two.ownership.look_up(name, authoritative=False, listener="", may_wait=True)
        asked = scope.spawn(ask, name="lookup")
        opened = scope.spawn(refusal_of(two.service.topic(name, create=True)), name="open")
        await asyncio.sleep(0.02)
        assert not asked.done()
        assert not opened.done()
        closing.set()
        await asyncio.wait([unload, asked, opened])
    assert asked.result().redirect  # the leader decides
    assert "not served by this instance" in opened.result()


async def refusal_of(work: Awaitable[object]) -> str:
    with pytest.raises(ServiceNotReadyError) as caught:
        await work
    return str(caught.value)


async def test_it_does_not_wait_for_an_unload_that_does_not_end(
    cluster: Cluster, one: Member, two: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = TOPICS[0]
    await two.ownership.look_up(name, authoritative=True, listener="")
    bundle = await two.bundle_of(str(name))
    monkeypatch.setattr(cluster_ownership, "_LEAVE_WAIT_MS", 10)

    async def close(_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(two.service.topics, "close_those", close)
    async with TaskScope() as scope:
        unload = scope.spawn(two.ownership.unload(bundle), name="unload")
        await asyncio.sleep(0)
        with pytest.raises(ServiceNotReadyError, match="is being unloaded"):
            await two.ownership.look_up(name, authoritative=False, listener="", may_wait=True)
        with pytest.raises(ServiceNotReadyError, match="not served by this instance"):
            await two.service.topic(name, create=True)
        unload.cancel()
    assert two.ownership.serves(name)


async def test_an_owner_of_pulsar_that_is_leaving(one: Member, cluster: Cluster) -> None:
    owner = BundleOwner(BrokerAddresses(urls=Urls(broker="pulsar://x:1")), disabled=True)
    bundle = await one.bundle_of(str(TOPICS[0]))
    await BundleNodes(cluster.store).acquire(bundle, owner, 0)
    with pytest.raises(ServiceNotReadyError, match="is being unloaded"):
        await one.ownership.look_up(TOPICS[0], authoritative=False, listener="")


async def test_a_split_moves_no_topic(cluster: Cluster, one: Member, two: Member) -> None:
    for name in TOPICS:
        await one.ownership.look_up(name, authoritative=True, listener="")
        await one.service.topic(name, create=True)
    opened = len(one.opened)
    bundle = await one.bundle_of(str(TOPICS[0]))
    await one.ownership.split(bundle, middle)
    assert not one.ownership.owned.serves(bundle)
    for name in TOPICS:
        await one.ownership.check(name)
        await one.service.topic(name, create=False)
        where = await two.ownership.look_up(name, authoritative=True, listener="")
        assert where.urls == one.service.config.addresses.urls
    assert len(one.opened) == opened
    with pytest.raises(ServiceNotReadyError):
        await one.ownership.split(bundle, middle)
    with pytest.raises(NotAllowedError):
        await one.ownership.split(await one.bundle_of(str(TOPICS[0])), lambda _: None)


async def test_a_broker_with_an_old_idea_of_the_bundles_takes_none(
    cluster: Cluster, one: Member, two: Member
) -> None:
    await two.bundle_of(str(TOPICS[0]))
    bundle = await one.bundle_of(str(TOPICS[0]))
    await one.ownership.look_up(TOPICS[0], authoritative=True, listener="")
    await one.ownership.split(bundle, middle)
    two.service.bundle_maps._fresh.add("public/default")  # the hint is not there yet
    where = await two.ownership.look_up(TOPICS[0], authoritative=True, listener="")
    assert where.urls == one.service.config.addresses.urls
    assert not two.ownership.owned.bundles


async def test_without_a_session_nothing_is_taken(one: Member) -> None:
    one.ownership.session_ended(one.store.session_id)
    with pytest.raises(ServiceNotReadyError, match="no session yet"):
        await one.ownership.look_up(TOPICS[0], authoritative=True, listener="")


async def test_the_last_broker_that_stops_has_nobody_to_send_to(one: Member) -> None:
    one.ownership.leaving = True
    with pytest.raises(ServiceNotReadyError, match="No broker takes bundle"):
        await one.ownership.look_up(TOPICS[0], authoritative=True, listener="")


async def test_a_listener_that_is_not_there(one: Member) -> None:
    with pytest.raises(ServiceNotReadyError, match="do not have x listener"):
        await one.ownership.look_up(TOPICS[0], authoritative=True, listener="x")
