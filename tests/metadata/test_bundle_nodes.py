"""A bundle has one owner, of one session, and none that has another idea of the bundles."""

from typing import Any

import pytest
from magnetar_metadata.broker_addresses import BrokerAddresses, BundleOwner, Urls
from magnetar_metadata.bundle_nodes import BundleNodes
from magnetar_metadata.errors import BadVersionError, NoNodeError, UnknownOutcomeError
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.namespace_bundles import Bundle, NamespaceBundles
from magnetar_metadata.store import ANY_VERSION
from magnetar_metadata.topic_records import LocalPolicies, TopicRecords, bundle_boundaries

from tests.metadata.clocks import ManualClock

A, B = (BundleOwner(BrokerAddresses(urls=Urls(broker=f"pulsar://{name}:1"))) for name in "ab")
TWO = NamespaceBundles("t/n", bundle_boundaries(2))
LOWER = TWO.bundles[0]


class Losing:
    """A store whose next answers get lost."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.before = self.after = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def _call(self, call: Any, path: str) -> Any:
        if self.before:
            self.before -= 1
            call.close()
            raise UnknownOutcomeError(path)
        result = await call
        if self.after:
            self.after -= 1
            raise UnknownOutcomeError(path)
        return result

    async def multi(self, operations: Any) -> None:
        await self._call(self._store.multi(operations), operations[0].path)

    async def delete(self, path: str, version: int = ANY_VERSION) -> None:
        await self._call(self._store.delete(path, version), path)


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore(ManualClock())
    await TopicRecords(store).local_policies.create("t/n", LocalPolicies(TWO.boundaries))
    return store


async def test_one_of_two_gets_it(store: MemoryStore) -> None:
    one, two = BundleNodes(store), BundleNodes(store.new_session())
    assert await one.owner(LOWER) is None
    assert await one.acquire(LOWER, A, 0)
    assert await one.acquire(LOWER, A, 0)  # asked again
    assert not await two.acquire(LOWER, B, 0)
    assert await one.owner(LOWER) == (A, True)
    assert await two.owner(LOWER) == (A, False)
    assert await two.owned("t/n") == [LOWER]
    await two.release(LOWER)  # not its own
    assert not await two.acquire(LOWER, B, 0)
    await one.release(LOWER)
    await one.release(LOWER)
    assert await two.acquire(LOWER, B, 0)


async def test_it_goes_with_the_session_and_is_not_taken_for_the_next_one(
    store: MemoryStore,
) -> None:
    session = store.new_session()
    one, two = BundleNodes(session), BundleNodes(store)
    assert await one.acquire(LOWER, A, 0)
    session.expire(renew=True)
    assert await one.owner(LOWER) is None
    assert await two.acquire(LOWER, B, 0)
    assert await one.owner(LOWER) == (B, False)
    await one.release(LOWER)
    assert await two.owner(LOWER) == (B, True)


async def test_nobody_takes_a_bundle_that_was_split(store: MemoryStore) -> None:
    one, two = BundleNodes(store), BundleNodes(store.new_session())
    await one.acquire(LOWER, A, 0)
    split = TWO.split(LOWER, 5)
    parts = split.bundles[0], split.bundles[1]
    assert await one.split(LOWER, parts, A, LocalPolicies(split.boundaries), 0) == 1
    assert sorted(await one.owned("t/n")) == sorted(parts)
    with pytest.raises(BadVersionError):
        await two.acquire(LOWER, B, 0)
    assert not await two.acquire(parts[1], B, 1)
    found = await TopicRecords(store).local_policies.read("t/n")
    assert found == (LocalPolicies(split.boundaries), 1)


async def test_a_split_is_whole_or_none(store: MemoryStore) -> None:
    nodes = BundleNodes(store)
    split = TWO.split(LOWER, 5)
    parts, policies = (split.bundles[0], split.bundles[1]), LocalPolicies(split.boundaries)
    with pytest.raises(NoNodeError):  # it is not owned
        await nodes.split(LOWER, parts, A, policies, 0)
    await nodes.acquire(LOWER, A, 0)
    with pytest.raises(BadVersionError):
        await nodes.split(LOWER, parts, A, policies, 7)
    assert await nodes.owned("t/n") == [LOWER]
    assert await TopicRecords(store).local_policies.read("t/n") == (
        LocalPolicies(TWO.boundaries),
        0,
    )


async def test_policies_that_are_gone_say_nothing(store: MemoryStore) -> None:
    with pytest.raises(BadVersionError):
        await BundleNodes(store).acquire(Bundle("t/other", 0, 5), A, 0)


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_lost_replies(store: MemoryStore, lost: str) -> None:
    planted: Any = Losing(store)
    nodes = BundleNodes(planted)
    setattr(planted, lost, 1)
    assert await nodes.acquire(LOWER, A, 0)
    assert await nodes.owner(LOWER) == (A, True)
    setattr(planted, lost, 1)
    await nodes.release(LOWER)
    assert await nodes.owner(LOWER) is None
