"""An inner client of a real broker, and sinks that remember."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from magnetar_broker.config import BrokerConfig
from magnetar_broker.inner_client.inner_client import InnerClient
from magnetar_broker.inner_client.message_ids import id_of, stored_ids
from magnetar_broker.inner_client.outgoing import Outgoing
from magnetar_broker.inner_client.receiver import ReceiveOptions, Receiver
from magnetar_broker.inner_client.topic_consumer import ConsumerOptions
from magnetar_broker.inner_client.topic_producer import ProducerOptions, TopicProducer
from magnetar_broker.service import BrokerService
from magnetar_broker.topic_name import TopicName
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.scope import TaskScope

from tests.broker.http.web_world import until, web_world

NAME = TopicName.parse("t")


class Sink:
    """A `SendSink` that remembers."""

    def __init__(self) -> None:
        self.stored_ids: dict[int, api.MessageIdData] = {}
        self.errors: dict[int, str] = {}

    def stored(self, tokens: Sequence[int], ledger_id: int, entry_id: int, partition: int) -> None:
        for token, text in zip(
            tokens, stored_ids(len(tokens), ledger_id, entry_id, partition), strict=True
        ):
            self.stored_ids[token] = id_of(text)

    def not_stored(self, token: int, error: Exception) -> None:
        self.errors[token] = str(error)


class Inner:
    """What a web client is inside the broker."""

    def __init__(self, service: BrokerService, scope: TaskScope) -> None:
        self.service = service
        self.scope = scope
        self.client = InnerClient(service, "1.2.3.4:5")
        self.sink = Sink()

    async def producer(self, topic: TopicName = NAME, **options: Any) -> TopicProducer:
        producer = TopicProducer(self.client, topic, ProducerOptions(**options), self.scope)
        await producer.open()
        return producer

    async def receiver(
        self, *topics: TopicName, kind: int = api.CommandSubscribe.Shared, **options: Any
    ) -> Receiver:
        receiver = Receiver(self.client, ReceiveOptions(**options), self.scope, lambda: None)
        consumer = ConsumerOptions("s", type=kind, earliest=True)  # type: ignore[arg-type]
        await receiver.open(topics or (NAME,), consumer)
        return receiver

    async def send(self, producer: TopicProducer, *bodies: bytes) -> None:
        """Send and wait for the receipts."""
        for body in bodies:
            await producer.room()
            producer.send(Outgoing(body), len(self.sink.stored_ids) + 1000, self.sink)
            count = len(self.sink.stored_ids)
            await until(lambda count=count: len(self.sink.stored_ids) > count)  # type: ignore[misc]

    def topic(self) -> Any:
        return self.service.topics.loaded[str(NAME)]


@asynccontextmanager
async def inner_world(config: BrokerConfig | None = None) -> AsyncIterator[Inner]:
    async with web_world(config) as world, TaskScope() as scope:
        inner = Inner(world.service, scope)
        try:
            yield inner
        finally:
            inner.client.close()
