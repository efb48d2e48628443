"""Which partition gets a message."""

import pytest
from magnetar_broker.inner_client.inner_client import InnerClient
from magnetar_broker.inner_client.outgoing import Outgoing
from magnetar_broker.inner_client.routed_producer import (
    RoutedProducer,
    java_string_hash,
    murmur_hash,
)
from magnetar_broker.inner_client.topic_producer import ProducerOptions
from magnetar_broker.topic_name import TopicName
from magnetar_runtime.scope import TaskScope

from tests.broker.http.web_world import web_world


def test_hashes_are_those_of_pulsars_clients() -> None:
    hashes = [java_string_hash(text) for text in ("", "a", "hello", "é😀")]
    assert hashes == [0, 97, 99162322, 1996812]
    assert 0 <= murmur_hash("key") < 1 << 31


@pytest.mark.parametrize(("routing", "used"), [("RoundRobinPartition", 3), ("SinglePartition", 1)])
async def test_without_a_key_in_turn_or_always_the_same(routing: str, used: int) -> None:
    async with web_world() as world, TaskScope() as scope:
        await world.ask("PUT", "/admin/v2/persistent/public/default/t/partitions", 3)
        client = InnerClient(world.service, "1.2.3.4:5")
        topic = TopicName.parse("t")
        producer = RoutedProducer(client, topic, ProducerOptions(), scope, routing=routing)
        await producer.open()
        assert len({producer.choose(Outgoing(b"")).topic for _ in range(9)}) == used
        keyed = {
            producer.choose(Outgoing(b"", key="hello")).topic.partition_index for _ in range(4)
        }
        assert keyed == {99162322 % 3}
        assert not producer.failed
        producer.close()
        assert producer.failed
        client.close()
