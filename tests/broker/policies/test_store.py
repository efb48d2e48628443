"""Policies in metadata."""

from typing import Any

import pytest
from magnetar_broker.errors import NamespaceNotFoundError, TopicConflictError, TopicNotFoundError
from magnetar_broker.policies.store import topic_path
from magnetar_broker.topic_name import NamespaceName, TopicName
from magnetar_ledger.errors import ManagedLedgerFencedError
from magnetar_metadata.errors import MalformedRecordError, SessionExpiredError

from tests.broker.conftest import Broker

NAMESPACE = NamespaceName("public", "default")
X = TopicName.parse("x")


class DiedError(Exception):
    """As if the process had ended."""


def put(**given: Any) -> Any:
    return lambda settings: settings.update(given)


async def test_who_reads_after_a_change_sees_it_in_the_bytes_of_pulsar(broker: Broker) -> None:
    store = broker.service.policy_store
    await store.change_namespace(NAMESPACE, put(message_ttl_in_seconds=30))
    assert (await store.namespace(NAMESPACE))["message_ttl_in_seconds"] == 30
    node = await broker.store.get("/admin/policies/public/default")
    assert node is not None
    assert b'"latency_stats_sample_rate":{},"message_ttl_in_seconds":30,"deleted"' in node.value


async def test_two_who_change_different_ones_at_a_time_do_not_undo_each_other(
    broker: Broker,
) -> None:
    store, others = broker.service.policy_store, [1]
    real = broker.store.set

    async def set_after_another(path: str, *args: Any) -> Any:
        if others:
            others.clear()
            await store.change_namespace(NAMESPACE, put(b=2))
        return await real(path, *args)

    broker.store.set = set_after_another  # type: ignore[method-assign]
    await store.change_namespace(NAMESPACE, put(a=1))
    settings = await store.namespace(NAMESPACE)
    assert (settings["a"], settings["b"]) == (1, 2)


async def test_a_namespace_that_is_not_there(broker: Broker) -> None:
    store, name = broker.service.policy_store, NamespaceName("public", "none")
    with pytest.raises(NamespaceNotFoundError):
        await store.namespace(name)
    with pytest.raises(NamespaceNotFoundError):
        await store.change_namespace(name, put(a=1))


async def test_policies_of_a_topic_end_with_it(broker: Broker) -> None:
    store = broker.service.policy_store
    await broker.service.topic(X, create=True)
    await store.change_topic(X, put(maxProducers=3))
    assert await store.topic(X) == {"maxProducers": 3}
    await broker.service.topics.delete(X)
    assert await store.topic(X) == {}
    with pytest.raises(TopicNotFoundError):
        await store.change_topic(X, put(maxProducers=3))


async def test_a_topic_that_is_deleted_while_they_are_written_gets_none(broker: Broker) -> None:
    """As somebody might make a topic of this name later."""
    store = broker.service.policy_store
    await broker.service.topic(X, create=True)
    real = broker.store.multi

    async def multi(*args: Any) -> None:
        await broker.service.topics.delete(X)
        await real(*args)

    broker.store.multi = multi  # type: ignore[method-assign]
    with pytest.raises(TopicNotFoundError):
        await store.change_topic(X, put(maxProducers=3))
    assert "maxProducers" not in await store.topic(X)


async def test_a_broker_that_dies_when_a_topic_is_gone_leaves_no_policies(broker: Broker) -> None:
    """Scenario: the next topic of its name had policies that nobody gave it."""
    store = broker.service.policy_store
    topic = await broker.service.topic(X, create=True)
    await store.change_topic(X, put(maxProducers=3))
    real = topic.ledger.delete

    async def delete() -> None:
        await real()
        raise DiedError

    topic.ledger.delete = delete  # type: ignore[method-assign]
    with pytest.raises(DiedError):
        await broker.service.topics.delete(X)
    assert await store.topic(X) == {}


async def test_a_broker_that_dies_when_a_partitioned_topic_is_gone(broker: Broker) -> None:
    store, catalog = broker.service.policy_store, broker.service.catalog
    await broker.service.admin.create_partitioned(X, 2)
    await store.change_topic(X, put(maxProducers=3))
    real = catalog.delete_partitioned

    async def delete(name: TopicName) -> None:
        await real(name)
        raise DiedError

    catalog.delete_partitioned = delete  # type: ignore[method-assign]
    with pytest.raises(DiedError):
        await broker.service.admin.delete_partitioned(X, force=False)
    assert await store.topic(X) == {}


async def test_a_broker_that_lost_the_topic_leaves_its_policies_alone(broker: Broker) -> None:
    store = broker.service.policy_store
    topic = await broker.service.topic(X, create=True)
    await store.change_topic(X, put(maxProducers=3))

    async def refused() -> None:
        raise ManagedLedgerFencedError("the next owner has it")

    topic.ledger.claim = refused  # type: ignore[method-assign]
    topic.ledger.delete = refused  # type: ignore[method-assign]
    with pytest.raises(ManagedLedgerFencedError):
        await broker.service.topics.delete(X)
    assert await store.topic(X) == {"maxProducers": 3}
    assert broker.ledger("x").closed  # nothing of it runs here any more


async def test_policies_go_in_the_session_in_which_the_deletion_began(broker: Broker) -> None:
    """Scenario: the deletion waits for a connection, and the session ends meanwhile. The next owner
    has the topic, and what is set for it is still wanted."""
    store = broker.service.policy_store
    topic = await broker.service.topic(X, create=True)
    await store.change_topic(X, put(maxProducers=3))

    async def claim() -> None:
        broker.store.expire(renew=True)

    topic.ledger.claim = claim  # type: ignore[method-assign]
    with pytest.raises(SessionExpiredError):
        await broker.service.topics.delete(X)
    assert await store.topic(X) == {"maxProducers": 3}
    assert not broker.ledger("x").deleted


async def test_partitions_have_those_of_their_topic(broker: Broker) -> None:
    store = broker.service.policy_store
    await broker.service.admin.create_partitioned(X, 2)
    await store.change_topic(X, put(maxProducers=3))
    assert await store.topic(X.partition(1)) == {"maxProducers": 3}
    await broker.service.topics.delete(X.partition(1))
    assert await store.topic(X) == {"maxProducers": 3}
    await broker.service.admin.delete_partitioned(X, force=False)
    assert await store.topic(X) == {}


async def test_policies_of_a_non_persistent_topic(broker: Broker) -> None:
    name, store = TopicName.parse("non-persistent://public/default/x"), broker.service.policy_store
    await store.change_topic(name, put(maxProducers=3))
    assert await store.topic(name) == {"maxProducers": 3}
    assert await store.topic(X) == {}


async def test_others_that_change_it_all_the_time(broker: Broker) -> None:
    store = broker.service.policy_store
    await broker.service.topic(X, create=True)
    await store.change_topic(X, put(a=1))
    path, real = topic_path(X), broker.store.multi

    async def multi(*args: Any) -> None:
        await broker.store.set(path, b"{}")
        await real(*args)

    broker.store.multi = multi  # type: ignore[method-assign]
    with pytest.raises(TopicConflictError):
        await store.change_topic(X, put(a=2))


async def test_what_is_no_record(broker: Broker) -> None:
    for value in (b"{", b"[]"):
        await broker.store.create(topic_path(X), value)
        with pytest.raises(MalformedRecordError):
            await broker.service.policy_store.topic(X)
        await broker.service.policy_store.forget_topic(X)
