"""A bundle has one owner, of one session, and none that has another idea of the bundles."""

import asyncio
from typing import Any

import pytest
from magnetar_metadata.broker_addresses import BrokerAddresses, BundleOwner, Urls
from magnetar_metadata.bundle_nodes import BundleNodes
from magnetar_metadata.errors import (
    BadVersionError,
    NoNodeError,
    SessionExpiredError,
    UnknownOutcomeError,
)
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


class Waiting:
    """A store whose deletions wait for a connection, as those of a cluster's do.

    Args:
        bound_to: the only session in which they are made.
    """

    def __init__(
        self, store: MemoryStore, connected: asyncio.Event, bound_to: int | None = None
    ) -> None:
        self._store = store
        self._connected = connected
        self._bound_to = bound_to

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def bound_to(self, session_id: int) -> "Waiting":
        return Waiting(self._store, self._connected, session_id)

    async def delete(self, path: str, version: int = ANY_VERSION) -> None:
        await self._connected.wait()
        if self._bound_to not in (None, self._store.session_id):
            raise SessionExpiredError(path)
        await self._store.delete(path, version)


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


async def test_a_release_that_waits_for_a_connection_leaves_the_next_owner_its_node(
    store: MemoryStore,
) -> None:
    session, connected = store.new_session(), asyncio.Event()
    former: Any = Waiting(session, connected)
    one, two = BundleNodes(former), BundleNodes(store.new_session())
    assert await one.acquire(LOWER, A, 0)
    release = asyncio.ensure_future(one.release(LOWER))
    await asyncio.sleep(0)
    session.expire(renew=True)
    assert await two.acquire(LOWER, B, 0)
    connected.set()
    await release
    assert await two.owner(LOWER) == (B, True)


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


async def test_a_split_is_not_made_in_the_next_session(store: MemoryStore) -> None:
    """Scenario: its answer is lost, its session ends, another owner takes the bundle. The second
    attempt would delete that one's node."""
    session = store.new_session()
    planted: Any = Losing(session)
    nodes, other = BundleNodes(planted), BundleNodes(store.new_session())
    await nodes.acquire(LOWER, A, 0)
    split = TWO.split(LOWER, 5)
    parts, policies = (split.bundles[0], split.bundles[1]), LocalPolicies(split.boundaries)

    async def taken_over(operations: Any) -> None:
        del planted.multi  # for this once
        session.expire(renew=True)
        assert await other.acquire(LOWER, B, 0)
        raise UnknownOutcomeError(operations[0].path)

    planted.multi = taken_over
    with pytest.raises(SessionExpiredError):
        await nodes.split(LOWER, parts, A, policies, 0)
    assert await other.owner(LOWER) == (B, True)
    assert await other.owned("t/n") == [LOWER]


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_a_split_whose_answer_is_lost_is_done(store: MemoryStore, lost: str) -> None:
    planted: Any = Losing(store)
    nodes = BundleNodes(planted)
    await nodes.acquire(LOWER, A, 0)
    split = TWO.split(LOWER, 5)
    parts, policies = (split.bundles[0], split.bundles[1]), LocalPolicies(split.boundaries)
    setattr(planted, lost, 1)
    assert await nodes.split(LOWER, parts, A, policies, 0) == 1
    assert sorted(await nodes.owned("t/n")) == sorted(parts)
    assert await TopicRecords(store).local_policies.read("t/n") == (policies, 1)


async def test_a_split_of_somebody_else_is_not_taken_for_one_of_ours(store: MemoryStore) -> None:
    planted: Any = Losing(store)
    nodes, other = BundleNodes(planted), BundleNodes(store.new_session())
    split = TWO.split(LOWER, 5)
    parts, policies = (split.bundles[0], split.bundles[1]), LocalPolicies(split.boundaries)
    await other.acquire(LOWER, B, 0)
    await other.split(LOWER, parts, B, policies, 0)
    planted.before = 1
    with pytest.raises(BadVersionError):
        await nodes.split(LOWER, parts, A, policies, 0)


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
