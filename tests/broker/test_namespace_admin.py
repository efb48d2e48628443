"""Namespaces: changes of several at one time, and deletions that fail."""

import asyncio
from typing import Any

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import ConflictError, MalformedRequestError, PersistenceFailedError
from magnetar_broker.namespace_admin import actions_of
from magnetar_broker.topic_name import NamespaceName, TopicName

from tests.broker.conftest import Broker, StartBroker

NAME = NamespaceName("public", "default")


def test_actions() -> None:
    assert actions_of(["produce", "consume", "produce"]) == ["consume", "produce"]
    for wrong in (None, "produce", ["fly"], [None]):
        with pytest.raises(MalformedRequestError):
            actions_of(wrong)


async def test_nothing_is_lost_when_many_change_a_namespace(broker: Broker) -> None:
    admin = broker.service.namespace_admin
    await asyncio.gather(*(admin.set_properties(NAME, {str(each): "x"}) for each in range(10)))
    assert len(await admin.properties(NAME)) == 10


async def test_a_deletion_that_fails_leaves_the_namespace_open(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(force_delete_namespaces=True))
    topic = TopicName.parse("x")
    await broker.service.admin.create(topic)

    async def fail() -> None:
        raise PersistenceFailedError("no bookie")

    ledger: Any = broker.ledger("x")
    delete, ledger.delete = ledger.delete, fail
    with pytest.raises(PersistenceFailedError):
        await broker.service.namespace_admin.delete(NAME, force=True)
    await broker.service.namespaces.check(NAME)  # not marked any more
    ledger.delete = delete


async def test_a_topic_made_behind_the_look_keeps_the_namespace(broker: Broker) -> None:
    admin, name = broker.service.namespace_admin, NamespaceName("public", "default")
    mark = admin._mark

    async def mark_late(name: NamespaceName, *, deleted: bool) -> None:
        if deleted:
            await broker.service.admin.create(TopicName.parse("late"))
        await mark(name, deleted=deleted)

    admin._mark = mark_late  # type: ignore[method-assign]
    with pytest.raises(ConflictError):
        await admin.delete(name, force=False)
    assert str(TopicName.parse("late")) in broker.service.topics.loaded


async def test_a_topic_that_was_being_loaded_goes_with_its_namespace(
    start_broker: StartBroker,
) -> None:
    """Scenario: its load was let in before the mark. Without its namespace nobody could delete it,
    and it would be in whatever namespace is made under that name later."""
    broker = await start_broker(BrokerConfig(force_delete_namespaces=True))
    service = broker.service
    await service.admin.create(TopicName.parse("early"))
    delete = service.admin.delete

    async def delete_late(name: TopicName, *, force: bool) -> None:
        if name == TopicName.parse("early"):
            await service.topics._begin_loading(TopicName.parse("late"))
        await delete(name, force=force)

    service.admin.delete = delete_late  # type: ignore[method-assign]
    await service.namespace_admin.delete(NAME, force=True)
    assert not service.topics.loaded
