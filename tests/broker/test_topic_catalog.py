"""Which topics there are, and which may be made."""

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import (
    BrokerError,
    InvalidTopicNameError,
    NamespaceNotFoundError,
    NoSuchPartitionError,
    NotAllowedError,
    TopicExistsError,
    TopicNotFoundError,
)
from magnetar_broker.topic_name import NamespaceName, TopicName
from magnetar_runtime.limits import Limits

from tests.broker.conftest import Broker, StartBroker

DEFAULT = NamespaceName("public", "default")


def named(text: str) -> TopicName:
    return TopicName.parse(text)


async def test_partitions_for_client(broker: Broker) -> None:
    catalog = broker.service.catalog
    await broker.service.admin.create_partitioned(named("parted"), 3)
    await broker.service.topic(named("plain"), create=True)
    for text, count in [
        ("parted", 3),
        ("plain", 0),
        ("parted-partition-2", 0),
        ("new", 0),
        ("new-partition-7", 0),
    ]:
        assert await catalog.partitions_for_client(named(text), may_create=True) == count
    assert not await catalog.exists(named("new"))


@pytest.mark.parametrize(
    ("text", "may_create", "error"),
    [
        ("parted-partition-3", True, NoSuchPartitionError),
        ("public/none/x", True, NamespaceNotFoundError),
        ("none/none/x", True, NamespaceNotFoundError),
        ("new", False, TopicNotFoundError),
    ],
)
async def test_no_partitions_for_client(
    broker: Broker, text: str, may_create: bool, error: type[BrokerError]
) -> None:
    await broker.service.admin.create_partitioned(named("parted"), 3)
    with pytest.raises(error):
        await broker.service.catalog.partitions_for_client(named(text), may_create=may_create)


async def test_no_topics_by_clients(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(allow_auto_topic_creation=False))
    service = broker.service
    with pytest.raises(TopicNotFoundError):
        await service.catalog.partitions_for_client(named("new"), may_create=True)
    with pytest.raises(TopicNotFoundError):
        await service.topic(named("new"), create=True)
    await service.admin.create(named("new"))
    assert (await service.topic(named("new"), create=False)).name == named("new")
    await service.admin.create_partitioned(named("parted"), 1)
    assert await service.topic(named("parted-partition-0"), create=False)
    assert await service.topic(named("__change_events"), create=True)


async def test_partitioned_topics_by_clients(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(auto_topics_partitioned=True, default_partitions=4))
    catalog = broker.service.catalog
    assert await catalog.partitions_for_client(named("new"), may_create=True) == 4
    assert await catalog.partitions(named("new")) == 4
    assert await catalog.partitions_for_client(named("new-partition-1"), may_create=True) == 0
    assert await catalog.partitions_for_client(named("y-partition-1"), may_create=True) == 0
    assert await catalog.partitions_for_client(named("__change_events"), may_create=True) == 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("parted", NotAllowedError),
        ("parted-partition-3", NoSuchPartitionError),
        ("public/none/x", NamespaceNotFoundError),
    ],
)
async def test_topics_that_cannot_be_made(
    broker: Broker, text: str, error: type[BrokerError]
) -> None:
    await broker.service.admin.create_partitioned(named("parted"), 3)
    with pytest.raises(error):
        await broker.service.topic(named(text), create=True)


async def test_most_topics_of_a_namespace(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_topics_per_namespace=1)))
    await broker.service.topic(named("x"), create=True)
    with pytest.raises(NotAllowedError):
        await broker.service.topic(named("y"), create=True)
    await broker.service.topic(named("x"), create=True)


async def test_partitioned_topic(broker: Broker) -> None:
    service, catalog = broker.service, broker.service.catalog
    await service.admin.create_partitioned(named("parted"), 2)
    assert [str(name) for name in await catalog.topics(DEFAULT)] == [
        "persistent://public/default/parted-partition-0",
        "persistent://public/default/parted-partition-1",
    ]
    assert await catalog.partitioned_topics(DEFAULT) == [named("parted")]
    with pytest.raises(TopicExistsError):
        await service.admin.create_partitioned(named("parted"), 2)
    await catalog.delete_partitioned(named("parted"))
    assert await catalog.partitions(named("parted")) == 0
    with pytest.raises(TopicNotFoundError):
        await catalog.delete_partitioned(named("parted"))


@pytest.mark.parametrize(
    ("text", "count", "error"),
    [
        ("x-partition-1", 2, InvalidTopicNameError),
        ("new", 0, NotAllowedError),
        ("new", -1, NotAllowedError),
        ("new", 9, NotAllowedError),
        ("plain", 2, TopicExistsError),
        ("public/none/x", 2, NamespaceNotFoundError),
    ],
)
async def test_partitioned_topics_that_cannot_be_made(
    start_broker: StartBroker, text: str, count: int, error: type[BrokerError]
) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_partitions_per_topic=8)))
    await broker.service.topic(named("plain"), create=True)
    with pytest.raises(error):
        await broker.service.admin.create_partitioned(named(text), count)
    assert await broker.service.catalog.partitions(named("new")) == 0


async def test_topics_of_a_namespace(broker: Broker) -> None:
    for text in ("b", "a c%~*", "__change_events"):
        await broker.service.topic(named(text), create=True)
    names = await broker.service.catalog.topics(DEFAULT)
    assert sorted(name.local_name for name in names) == ["a c%~*", "b"]
