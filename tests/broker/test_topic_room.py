"""The most topics of a namespace, also when many are made at one time."""

import asyncio

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import TooManyTopicsError
from magnetar_broker.topic_name import TopicName
from magnetar_runtime.limits import Limits

from tests.broker.conftest import Broker, StartBroker


@pytest.fixture
async def broker(start_broker: StartBroker) -> Broker:
    """Two topics are the most."""
    return await start_broker(BrokerConfig(limits=Limits(max_topics_per_namespace=2)))


def named(text: str) -> TopicName:
    return TopicName.parse(text)


async def test_many_at_one_time(broker: Broker) -> None:
    made = (broker.service.topic(named(local), create=True) for local in "abcd")
    results = await asyncio.gather(*made, return_exceptions=True)
    assert sum(isinstance(each, TooManyTopicsError) for each in results) == 2
    assert len(broker.service.topics.loaded) == 2


async def test_one_topic_that_many_ask_for_counts_once(broker: Broker) -> None:
    asked = (broker.service.topic(named("a"), create=True) for _ in range(5))
    assert len(set(await asyncio.gather(*asked))) == 1
    await broker.service.topic(named("b"), create=True)


async def test_failed_ones_do_not_count(broker: Broker) -> None:
    async def fail() -> None:
        raise TooManyTopicsError("planted")

    broker.before_open = fail
    for local in "abcd":
        with pytest.raises(TooManyTopicsError, match="planted"):
            await broker.service.topic(named(local), create=True)
    broker.before_open = None
    for local in "ab":
        await broker.service.topic(named(local), create=True)


async def test_partitions_count(broker: Broker) -> None:
    with pytest.raises(TooManyTopicsError):
        await broker.service.admin.create_partitioned(named("p"), 3)
    await broker.service.admin.create_partitioned(named("p"), 2)
    with pytest.raises(TooManyTopicsError):
        await broker.service.admin.update_partitions(named("p"), 3)
    assert await broker.service.catalog.partitions(named("p")) == 2
    await broker.service.admin.delete_partitioned(named("p"), force=False)
    await broker.service.topic(named("a"), create=True)
