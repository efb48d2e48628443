"""Messages that failed too often, and messages that are to come again later."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from magnetar_runtime.scope import TaskScope

from magnetar.errors import AlreadyClosed, PulsarException
from magnetar.message import Message
from magnetar.producer import Producer
from magnetar.topic_consumer import TopicConsumer
from magnetar.topic_name import letter_name
from magnetar.types import ConsumerDeadLetterPolicy

log = logging.getLogger(__name__)

RETRIES: Final = "RECONSUMETIMES"
DELAY: Final = "DELAY_TIME"
REAL_TOPIC: Final = "REAL_TOPIC"
ORIGIN_ID: Final = "ORIGIN_MESSAGE_ID"

MakeProducer = Callable[..., Awaitable[Producer]]


class DeadLetters:
    """Publishes to the dead letter topic and to the retry topic of one consumer.

    Args:
        make_producer: `Client.create_producer`.

    Attributes:
        retries: the consumer gets the messages of the retry topic too.
    """

    def __init__(
        self,
        topic: str,
        subscription: str,
        policy: ConsumerDeadLetterPolicy,
        make_producer: MakeProducer,
        scope: TaskScope,
    ) -> None:
        self.dead_letter_topic = policy.dead_letter_topic or letter_name(topic, subscription, "DLQ")
        self.retry_letter_topic = policy.retry_letter_topic or letter_name(
            topic, subscription, "RETRY"
        )
        self.retries = policy.retry_letter_topic is not None
        self._policy = policy
        self._make_producer = make_producer
        self._scope = scope
        self._producers: dict[str, Producer] = {}
        self._closed = False

    def bury(self, source: TopicConsumer, messages: Sequence[Message]) -> None:
        """Publish as dead letters, and acknowledge; what that fails for comes again."""
        if not self._scope.closed:
            self._scope.spawn(self._bury(source, messages), name=f"dead letters of {source.topic}")

    async def _bury(self, source: TopicConsumer, messages: Sequence[Message]) -> None:
        for message in messages:
            place = (message._ledger_id, message._entry_id)
            try:
                await self._publish(self.dead_letter_topic, message, self._origin(message), None)
            except Exception as error:
                # A defect that one message meets must not end the client with all its topics.
                text = "%s: not put into %s, it comes again: %s"
                defect = not isinstance(error, PulsarException)
                log.warning(text, message, self.dead_letter_topic, error, exc_info=defect)
                if not source.closed:
                    source.negative_acknowledge(place, message.redelivery_count())
                return
            if not source.closed:
                source.acknowledge(
                    place, message._batch_index, message._batch_size, cumulative=False
                )

    async def retry(self, message: Message, delay_ms: int, properties: dict[str, str]) -> None:
        """Publish to the retry topic, or as a dead letter if it was there often enough.

        Raises:
            PulsarException: it could not be published; it is not acknowledged then.
        """
        retries = int(message.properties().get(RETRIES, "0")) + 1
        carried = {**self._origin(message), **properties, RETRIES: str(retries)}
        if retries > self._policy.max_redeliver_count:
            await self._publish(self.dead_letter_topic, message, carried, None)
            return
        carried[DELAY] = str(delay_ms)
        await self._publish(self.retry_letter_topic, message, carried, delay_ms)

    def _origin(self, message: Message) -> dict[str, str]:
        properties = message.properties()
        properties.setdefault(REAL_TOPIC, message.topic_name())
        properties.setdefault(ORIGIN_ID, str(message.message_id()))
        return properties

    async def _publish(
        self, topic: str, message: Message, properties: dict[str, str], delay_ms: int | None
    ) -> None:
        producer = await self._producer(topic)
        key = message.partition_key() if message.has_partition_key() else None
        options: dict[str, Any] = {}
        if delay_ms is not None:
            options["deliver_after"] = timedelta(milliseconds=delay_ms)
        await producer.send(
            message.data(),
            properties=properties,
            partition_key=key,
            ordering_key=message.ordering_key() or None,
            event_timestamp=message.event_timestamp() or None,
            **options,
        )

    async def _producer(self, topic: str) -> Producer:
        producer = self._producers.get(topic)
        if producer is None:
            self._check_open()
            options = {}
            if topic == self.dead_letter_topic and self._policy.initial_subscription_name:
                options["initial_subscription_name"] = self._policy.initial_subscription_name
            made = await self._make_producer(topic, block_if_queue_full=True, **options)
            if self._closed:  # while it was made
                made.shutdown()
                self._check_open()
            producer = self._producers.setdefault(topic, made)
            if producer is not made:
                await made.close()
        return producer

    def _check_open(self) -> None:
        if self._closed:
            raise AlreadyClosed("the consumer is closed: it publishes no letters any more")

    async def close(self) -> None:
        """Close the producers."""
        try:
            for producer in list(self._producers.values()):
                await producer.close()
        finally:
            self.shutdown()

    def shutdown(self) -> None:
        """Close the producers without waiting for anything."""
        self._closed = True
        producers, self._producers = list(self._producers.values()), {}
        for producer in producers:
            producer.shutdown()
