"""Producing by HTTP: producers that requests share, and the messages of a request on their way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from magnetar_proto.errors import PayloadError

from magnetar_broker.errors import BrokerError
from magnetar_broker.http.messages.bodies import ProduceRequest
from magnetar_broker.inner_client.inner_client import InnerClient
from magnetar_broker.inner_client.message_ids import pulsar_texts
from magnetar_broker.inner_client.routed_producer import RoutedProducer
from magnetar_broker.inner_client.topic_producer import ProducerOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from magnetar_runtime.scope import TaskScope

    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic_name import TopicName

_NOT_STORED: Final = 1
"""The error code of a message that was not stored."""
_MOST_IN_BATCH: Final = 1000
"""As with Pulsar's clients."""


class _Shared:
    """One producer, and the requests that use it."""

    def __init__(self, producer: RoutedProducer, now_ns: int) -> None:
        self.producer = producer
        self.users = 0
        self.used_ns = now_ns


class HttpProducers:
    """Producers by topic and name; those that nobody used for long are closed."""

    def __init__(self, service: BrokerService, scope: TaskScope) -> None:
        self._service = service
        self._scope = scope
        self._client = InnerClient(service, "")
        self._shared: dict[tuple[str, str], _Shared] = {}
        self._opening: dict[tuple[str, str], asyncio.Future[None]] = {}

    async def produce(self, topic: TopicName, request: ProduceRequest) -> list[dict[str, Any]]:
        """Store messages; what became of each, in their order.

        Raises:
            BrokerError: the topic takes no producer.
        """
        shared = await self._producer(topic, request.producer_name)
        shared.users += 1
        try:
            batch = _Batch(len(request.messages), self._service)
            await batch.send(shared.producer, request)
            return batch.results
        finally:
            shared.users -= 1
            shared.used_ns = self._service.clock.monotonic_ns()

    async def _producer(self, topic: TopicName, name: str) -> _Shared:
        key = (str(topic), name)
        while (opening := self._opening.get(key)) is not None:
            await asyncio.wait([opening])
        shared = self._shared.get(key)
        if shared is not None and not shared.producer.failed:
            return shared
        opened = self._opening[key] = self._service.loop.create_future()
        try:
            return await self._open(key, topic, name)
        finally:
            del self._opening[key]
            opened.set_result(None)

    async def _open(self, key: tuple[str, str], topic: TopicName, name: str) -> _Shared:
        if key in self._shared:
            self._close(key)  # it failed
        self._make_room()
        options = ProducerOptions(
            name, max_pending=2_000, max_pending_bytes=16 << 20, batch_messages=_MOST_IN_BATCH
        )
        producer = RoutedProducer(self._client, topic, options, self._scope)
        await producer.open()
        shared = self._shared[key] = _Shared(producer, self._service.clock.monotonic_ns())
        return shared

    def _make_room(self) -> None:
        if len(self._shared) < self._service.config.web.max_producers:
            return
        unused = [(each.used_ns, key) for key, each in self._shared.items() if not each.users]
        if unused:
            self._close(min(unused)[1])

    def tick(self) -> None:
        """Close what was not used for long."""
        idle_ns = self._service.config.web.producer_idle_ms * 1_000_000
        now_ns = self._service.clock.monotonic_ns()
        for key, each in list(self._shared.items()):
            if not each.users and (now_ns - each.used_ns >= idle_ns or each.producer.failed):
                self._close(key)

    def _close(self, key: tuple[str, str]) -> None:
        self._shared.pop(key).producer.close()

    def close(self) -> None:
        """Close all."""
        for key in list(self._shared):
            self._close(key)
        self._client.close()


class _Batch:
    """The `SendSink` of one request."""

    def __init__(self, count: int, service: BrokerService) -> None:
        self.results: list[Any] = [None] * count
        self._left = count
        self._done: asyncio.Future[None] = service.loop.create_future()
        self._clock = service.clock

    async def send(self, producer: RoutedProducer, request: ProduceRequest) -> None:
        """Send all, and wait until each is stored or is not."""
        if not request.messages:
            return
        batched, now_ms = request.batched, self._clock.wall_ms()
        for index, message in enumerate(request.messages):
            way = producer.choose(message)
            try:
                if not way.has_room:
                    way.flush()
                    await way.room()
                    now_ms = self._clock.wall_ms()
                way.send(message, index, self, batched=batched, publish_time_ms=now_ms)
            except (BrokerError, PayloadError) as error:
                self._refuse(index, str(error))
        if batched:
            for way in producer.producers:
                way.flush()
        await self._done

    def stored(self, tokens: Sequence[int], ledger_id: int, entry_id: int, partition: int) -> None:
        texts = pulsar_texts(len(tokens), ledger_id, entry_id, partition)
        for token, text in zip(tokens, texts, strict=True):
            self._settle(token, {"messageId": text, "errorCode": 0, "schemaVersion": 0})

    def not_stored(self, token: int, error: BrokerError) -> None:
        self._refuse(token, str(error))

    def _refuse(self, token: int, text: str) -> None:
        failed = {"messageId": None, "errorCode": _NOT_STORED, "errorMsg": text}
        self._settle(token, {**failed, "schemaVersion": 0})

    def _settle(self, token: int, result: dict[str, Any]) -> None:
        self.results[token] = result
        self._left -= 1
        if not self._left and not self._done.done():
            self._done.set_result(None)
