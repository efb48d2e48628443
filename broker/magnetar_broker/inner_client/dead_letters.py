"""Messages that were delivered too often without being acked go to a topic of their own."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from magnetar_broker.errors import BrokerError
from magnetar_broker.inner_client.message_ids import pulsar_text
from magnetar_broker.inner_client.opened import Message
from magnetar_broker.inner_client.outgoing import Outgoing
from magnetar_broker.inner_client.topic_producer import ProducerOptions, TopicProducer
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    import asyncio

    from magnetar_runtime.scope import TaskScope

    from magnetar_broker.inner_client.inner_client import InnerClient
    from magnetar_broker.inner_client.receiver import MessageKey

log = logging.getLogger(__name__)


class DeadLetters:
    """A `SendSink`. A message is acked when it is stored in the other topic, and not before.

    Attributes:
        last_chance: Messages that go there if they are not acked.
    """

    def __init__(self, client: InnerClient, topic: str, scope: TaskScope) -> None:
        self.last_chance: dict[MessageKey, Message] = {}
        self._client = client
        self._topic = TopicName.parse(topic)
        self._scope = scope
        self._producer: TopicProducer | None = None
        self._waiting: deque[tuple[Message, Callable[[], None]]] = deque()
        self._under_way: dict[int, Callable[[], None]] = {}
        self._tokens = 0
        self._task: asyncio.Task[None] | None = None

    def send(self, message: Message, stored: Callable[[], None]) -> None:
        """Send it; `stored` is called when it is there."""
        self._waiting.append((message, stored))
        if self._task is None or self._task.done():
            self._task = self._scope.spawn(self._send_all(), name=f"send to {self._topic}")

    async def _send_all(self) -> None:
        try:
            if self._producer is None:
                producer = TopicProducer(self._client, self._topic, ProducerOptions(), self._scope)
                await producer.open()
                self._producer = producer
            while self._waiting:
                await self._producer.room()
                message, stored = self._waiting.popleft()
                self._tokens += 1
                self._under_way[self._tokens] = stored
                self._producer.send(_letter(message), self._tokens, self)
        except BrokerError as error:
            # What was not sent was not acked: it comes again to whoever is there next.
            log.warning("dead letters for %s are not sent: %s", self._topic, error)
            self._producer = None

    def stored(self, tokens: Sequence[int], ledger_id: int, entry_id: int, partition: int) -> None:
        for token in tokens:
            self._under_way.pop(token)()

    def not_stored(self, token: int, error: BrokerError) -> None:
        del self._under_way[token]
        log.warning("a dead letter for %s is not stored: %s", self._topic, error)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close()


def _letter(message: Message) -> Outgoing:
    origin = {"REAL_TOPIC": message.topic, "ORIGIN_MESSAGE_ID": pulsar_text(message.id)}
    return Outgoing(
        message.body,
        key=message.key,
        key_is_base64=message.key_is_base64,
        properties={**message.properties, **origin},
        event_time_ms=message.event_time_ms,
    )
