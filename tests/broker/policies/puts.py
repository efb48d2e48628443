"""Policies are set, and hold when that is done."""

from typing import Any

from magnetar_broker.topic import Topic
from magnetar_broker.topic_name import NamespaceName, TopicName

from tests.broker.consume_world import TOPIC, ConsumeWorld

NAMESPACE = NamespaceName("public", "default")
NAME = TopicName.parse(TOPIC)


async def put(world: ConsumeWorld, **settings: Any) -> Topic:
    """Set policies of the namespace; the topic."""
    service = world.service
    await service.policy_store.change_namespace(NAMESPACE, lambda found: found.update(settings))
    await service.live_policies.namespace_changed(NAMESPACE)
    return await service.topic(NAME, create=True)


async def put_of_topic(world: ConsumeWorld, **settings: Any) -> None:
    """Set policies of the topic itself."""
    service = world.service
    await service.policy_store.change_topic(NAME, lambda found: found.update(settings))
    await service.live_policies.topic_changed(NAME)
