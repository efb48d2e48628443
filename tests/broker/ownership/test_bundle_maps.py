"""The bundles of namespaces are read once, and again when they may have changed."""

import asyncio

import pytest
from magnetar_broker.errors import NamespaceNotFoundError
from magnetar_broker.ownership.bundle_maps import BundleMap, BundleMaps
from magnetar_broker.topic_name import TopicName
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.store import Node
from magnetar_metadata.topic_records import (
    LocalPolicies,
    Policies,
    TopicRecords,
    bundle_boundaries,
)

from tests.metadata.clocks import ManualClock


class CountingStore(MemoryStore):
    """Counts reads."""

    reads = 0

    async def get(self, path: str) -> Node | None:
        self.reads += 1
        return await super().get(path)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore(ManualClock())


@pytest.fixture
def maps(store: CountingStore) -> BundleMaps:
    return BundleMaps(store, TopicRecords(store))


async def test_read_once_until_it_changes(store: CountingStore, maps: BundleMaps) -> None:
    records = TopicRecords(store)
    await records.local_policies.create("t/n", LocalPolicies(bundle_boundaries(2)))
    name = TopicName.parse("t/n/x")
    assert maps.bundle_of(name) is None
    first = await maps.of("t/n")
    assert maps.bundle_of(name) == first.bundles.bundle_of(str(name))
    reads = store.reads
    assert await maps.of("t/n") is first
    assert store.reads == reads
    await records.local_policies.write("t/n", LocalPolicies(bundle_boundaries(3)), 0)
    await asyncio.sleep(0)
    changed = await maps.of("t/n")
    assert (len(changed.bundles.bundles), changed.version) == (3, 1)
    maps.close()


async def test_a_namespace_that_no_broker_has_served(
    store: CountingStore, maps: BundleMaps
) -> None:
    with pytest.raises(NamespaceNotFoundError):
        await maps.of("t/n")
    await TopicRecords(store).namespaces.create("t/n", Policies(boundaries=bundle_boundaries(5)))
    found = await maps.of("t/n")
    assert len(found.bundles.bundles) == 5
    kept = await TopicRecords(store).local_policies.read("t/n")
    assert kept == (LocalPolicies(bundle_boundaries(5)), 0)


async def test_a_change_of_this_broker_is_known_at_once(
    store: CountingStore, maps: BundleMaps
) -> None:
    policies = LocalPolicies(bundle_boundaries(2))
    await TopicRecords(store).local_policies.create("t/n", policies)
    found = await maps.of("t/n")
    split = found.bundles.split(found.bundles.bundles[0], 7)
    maps.replace("t/n", BundleMap(split, LocalPolicies(split.boundaries), 1))
    name = TopicName.parse("t/n/x")
    assert maps.bundle_of(name) == split.bundle_of(str(name))
    known = maps.known("t/n")
    assert known is not None
    assert known.version == 1


async def test_what_was_read_before_a_change_does_not_come_after_it(
    store: CountingStore, maps: BundleMaps
) -> None:
    records = TopicRecords(store)
    await records.local_policies.create("t/n", LocalPolicies(bundle_boundaries(2)))
    found = await maps.of("t/n")
    split = found.bundles.split(found.bundles.bundles[0], 7)
    policies = LocalPolicies(split.boundaries)
    read = store.get

    async def slow(path: str) -> Node | None:
        node = await read(path)
        if store.reads == before + 1:
            await records.local_policies.write("t/n", policies, 0)
            maps.replace("t/n", BundleMap(split, policies, 1))
        return node

    before = store.reads
    store.get = slow  # type: ignore[method-assign]
    maps.forget("t/n")
    assert (await maps.of("t/n")).version == 1


async def test_who_asks_while_it_is_read_for_the_first_time_waits_too(
    store: CountingStore, maps: BundleMaps
) -> None:
    """Scenario: a broker has just started, and a client that reconnects looks all its topics up."""
    await TopicRecords(store).local_policies.create("t/n", LocalPolicies(bundle_boundaries(2)))
    read = store.get

    async def slow(path: str) -> Node | None:
        await asyncio.sleep(0)
        return await read(path)

    store.get = slow  # type: ignore[method-assign]
    found = await asyncio.gather(maps.of("t/n"), maps.of("t/n"))
    assert [each.version for each in found] == [0, 0]


async def test_a_late_answer_of_before_a_change_is_not_taken(
    store: CountingStore, maps: BundleMaps
) -> None:
    """Scenario: the first to ask has a slow answer, of before a change that another has read."""
    records = TopicRecords(store)
    await records.local_policies.create("t/n", LocalPolicies(bundle_boundaries(2)))
    read, answer = store.get, asyncio.Event()

    async def first_slow(path: str) -> Node | None:
        node = await read(path)
        if store.reads == 1:
            await answer.wait()
        return node

    store.get = first_slow  # type: ignore[method-assign]
    late = asyncio.create_task(maps.of("t/n"))
    await asyncio.sleep(0)
    await records.local_policies.write("t/n", LocalPolicies(bundle_boundaries(3)), 0)
    await asyncio.sleep(0)
    assert (await maps.of("t/n")).version == 1
    answer.set()
    assert (await late).version == 1
    reads = store.reads
    assert (await maps.of("t/n")).version == 1
    assert store.reads == reads
