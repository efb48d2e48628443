"""One call for all partitions of a topic, in this broker or by way of others."""

from typing import Any

import pytest
from magnetar_broker.errors import TopicNotFoundError, UnsupportedError
from magnetar_broker.http.partition_fan import PartitionFan
from magnetar_broker.topic import Topic
from magnetar_broker.topic_name import TopicName

from tests.broker.conftest import Broker

NAME = TopicName.parse("x")


async def _name(topic: Topic) -> str:
    return str(topic.name)


async def test_here(broker: Broker) -> None:
    fan = PartitionFan(broker.service)
    with pytest.raises(TopicNotFoundError):
        await fan.each(NAME, _name, "GET", "/y")
    await broker.service.admin.create_partitioned(NAME, 2)
    found = await fan.each(NAME, _name, "GET", "/y")
    assert found == [str(NAME.partition(0)), str(NAME.partition(1))]
    assert await fan.each(NAME.partition(1), _name, "GET", "/y") == [str(NAME.partition(1))]
    with pytest.raises(UnsupportedError, match="not so"):
        await fan.one(NAME, "not so")


async def test_elsewhere(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    await broker.service.admin.create_partitioned(NAME, 2)
    calls: list[Any] = []

    class Elsewhere:
        async def call(self, *call: Any) -> int:
            calls.append(call)
            return len(calls)

    monkeypatch.setattr(broker.service.admin, "elsewhere", Elsewhere())
    found = await PartitionFan(broker.service).each(NAME, _name, "POST", "/y", {"a": 1})
    assert found == [1, 2]
    assert calls == [("POST", NAME.partition(index), "/y", {"a": 1}) for index in range(2)]
