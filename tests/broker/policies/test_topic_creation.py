"""Topics that clients make, by what is set for their namespace."""

from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import ErrorCode
from magnetar_broker.policies.topic_creation import TopicCreation
from magnetar_broker.topic_name import NamespaceName, TopicName

from tests.broker.conftest import Broker

NAMESPACE = NamespaceName("public", "default")


def test_a_namespace_that_says_nothing_follows_the_configuration() -> None:
    config = BrokerConfig(auto_topics_partitioned=True, default_partitions=3)
    assert TopicCreation.of({}, config) == TopicCreation(allowed=True, partitions=3, most=0)


async def test_a_namespace_may_forbid_it_and_may_have_its_topics_partitioned(
    broker: Broker,
) -> None:
    store = broker.service.policy_store
    rule = {"allowAutoTopicCreation": False}
    await store.change_namespace(
        NAMESPACE, lambda settings: settings.update(autoTopicCreationOverride=rule)
    )
    client = await broker.client()
    assert (await client.produce("x")).error == ErrorCode.TOPIC_NOT_FOUND
    rule = {"allowAutoTopicCreation": True, "topicType": "partitioned", "defaultNumPartitions": 3}
    await store.change_namespace(
        NAMESPACE, lambda settings: settings.update(autoTopicCreationOverride=rule)
    )
    name = TopicName.parse("x")
    assert await broker.service.catalog.partitions_for_client(name, may_create=True) == 3


async def test_a_namespace_has_its_own_number_of_topics(broker: Broker) -> None:
    await broker.service.policy_store.change_namespace(
        NAMESPACE, lambda settings: settings.update(max_topics_per_namespace=1)
    )
    client = await broker.client()
    await client.produce("x", 1)
    assert (await client.produce("y", 2)).error == ErrorCode.NOT_ALLOWED
