"""A producer of a topic that may have partitions: which of them gets a message."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from magnetar_proto.murmur import murmur3_32

from magnetar_broker.inner_client.topic_producer import ProducerOptions, TopicProducer

if TYPE_CHECKING:
    from magnetar_runtime.scope import TaskScope

    from magnetar_broker.inner_client.inner_client import InnerClient
    from magnetar_broker.inner_client.outgoing import Outgoing
    from magnetar_broker.topic_name import TopicName


def java_string_hash(text: str) -> int:
    """Java's hash of a string, without its sign."""
    value = 0
    data = text.encode("utf-16-be", "surrogatepass")
    for high, low in zip(data[::2], data[1::2], strict=True):
        value = (31 * value + (high << 8 | low)) & 0xFFFFFFFF
    return value & 0x7FFFFFFF


def murmur_hash(text: str) -> int:
    """Murmur3 as Pulsar's clients use it for keys."""
    return murmur3_32(text.encode()) & 0x7FFFFFFF


HASHES: Final[dict[str, Callable[[str], int]]] = {
    "JavaStringHash": java_string_hash,
    "Murmur3_32Hash": murmur_hash,
}
ROUTING_MODES: Final = ("RoundRobinPartition", "SinglePartition", "CustomPartition")


class RoutedProducer:
    """Attributes:
    producers: One for each partition; one if the topic has none.
    """

    def __init__(
        self,
        client: InnerClient,
        topic: TopicName,
        options: ProducerOptions,
        scope: TaskScope,
        *,
        routing: str = "RoundRobinPartition",
        hashing: str = "JavaStringHash",
    ) -> None:
        self.producers: list[TopicProducer] = []
        self._client = client
        self._topic = topic
        self._options = options
        self._scope = scope
        self._routing = routing
        self._hash = HASHES[hashing]
        self._turn = itertools.count()

    async def open(self) -> None:
        """Attach to the topic, or to all of its partitions. Raises BrokerError."""
        count = 0 if self._topic.is_partition else await self._client.partitions(self._topic)
        names = [self._topic.partition(index) for index in range(count)] or [self._topic]
        self.producers = [
            TopicProducer(self._client, name, self._options, self._scope) for name in names
        ]
        try:
            for producer in self.producers:
                await producer.open()
        except BaseException:
            self.close()
            raise

    def choose(self, message: Outgoing) -> TopicProducer:
        """The producer that a message goes to: by its key, else in turn."""
        count = len(self.producers)
        if count == 1:
            return self.producers[0]
        if message.key is not None:
            return self.producers[self._hash(message.key) % count]
        if self._routing == "RoundRobinPartition":
            return self.producers[next(self._turn) % count]
        return self.producers[self._hash(self.producers[0].name) % count]

    @property
    def failed(self) -> bool:
        """Whether one of them can send no more."""
        return any(each.failure is not None for each in self.producers)

    def close(self) -> None:
        """Detach; what has no receipt has failed."""
        for producer in self.producers:
            producer.close()
