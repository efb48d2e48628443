"""More partitions: made before they are known, once, or not at all."""

import asyncio

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import (
    BrokerError,
    InvalidTopicNameError,
    PartitionCountError,
    PersistenceFailedError,
    TopicConflictError,
)
from magnetar_broker.topic_name import TopicName
from magnetar_runtime.limits import Limits

from tests.broker.conftest import Broker, StartBroker

PARTED = TopicName.parse("parted")


@pytest.fixture
async def broker(start_broker: StartBroker) -> Broker:
    """With a topic of two partitions, of at most eight."""
    broker = await start_broker(BrokerConfig(limits=Limits(max_partitions_per_topic=8)))
    await broker.service.admin.create_partitioned(PARTED, 2, {"k": "v"})
    return broker


async def test_growth(broker: Broker) -> None:
    service = broker.service
    await service.admin.update_partitions(PARTED, 4)
    record = await service.catalog.partitioned(PARTED)
    assert record is not None
    assert (record.partitions, record.properties) == (4, {"k": "v"})
    assert all([await service.catalog.exists(PARTED.partition(index)) for index in range(4)])
    await service.admin.update_partitions(PARTED, 4)  # as it is


async def test_clients_see_new_partitions_when_they_are_there(broker: Broker) -> None:
    counts: list[int] = []

    async def count() -> None:
        counts.append(await broker.service.catalog.partitions(PARTED))

    broker.before_open = count
    await broker.service.admin.update_partitions(PARTED, 4)
    assert counts == [2, 2]


async def test_failure_in_between_changes_nothing_and_may_be_tried_again(broker: Broker) -> None:
    async def fail() -> None:
        raise PersistenceFailedError("planted")

    broker.before_open = fail
    with pytest.raises(PersistenceFailedError):
        await broker.service.admin.update_partitions(PARTED, 4)
    assert await broker.service.catalog.partitions(PARTED) == 2
    broker.before_open = None
    await broker.service.admin.update_partitions(PARTED, 3)
    assert await broker.service.catalog.partitions(PARTED) == 3
    assert not broker.service.catalog.growing


async def test_one_change_at_a_time(broker: Broker) -> None:
    update = broker.service.admin.update_partitions
    results = await asyncio.gather(update(PARTED, 3), update(PARTED, 4), return_exceptions=True)
    assert [type(each) for each in results] == [type(None), TopicConflictError]


async def test_topic_that_is_deleted_meanwhile(broker: Broker) -> None:
    async def delete() -> None:
        broker.before_open = None
        await broker.service.catalog.delete_partitioned(PARTED)

    broker.before_open = delete
    with pytest.raises(TopicConflictError):
        await broker.service.admin.update_partitions(PARTED, 3)


@pytest.mark.parametrize(
    ("text", "count", "error"),
    [
        ("parted", 1, PartitionCountError),
        ("parted", 0, PartitionCountError),
        ("parted", 9, PartitionCountError),
        ("parted-partition-1", 3, InvalidTopicNameError),
        ("none", 3, TopicConflictError),
    ],
)
async def test_refused(broker: Broker, text: str, count: int, error: type[BrokerError]) -> None:
    with pytest.raises(error):
        await broker.service.admin.update_partitions(TopicName.parse(text), count)
    assert not broker.service.catalog.growing


async def test_non_persistent(broker: Broker) -> None:
    name = TopicName.parse("non-persistent://public/default/np")
    await broker.service.admin.create_partitioned(name, 1)
    await broker.service.admin.update_partitions(name, 3)
    assert await broker.service.catalog.partitions(name) == 3
    assert not await broker.service.catalog.exists(name.partition(0))
