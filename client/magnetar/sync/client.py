"""The blocking client."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Unpack

from magnetar import client as asyncio_client
from magnetar.closing import Closing
from magnetar.consumer_options import ConsumerArguments
from magnetar.message import Message
from magnetar.message_id import MessageId
from magnetar.producer_options import ProducerArguments, ProducerOptions
from magnetar.sync.consumer import Consumer, Reader
from magnetar.sync.loop_thread import LoopThread
from magnetar.sync.producer import Producer
from magnetar.sync.table_view import TableView
from magnetar.types import ConsumerType


class Client(Closing):
    """A client of a cluster, for any number of threads. Arguments as for `magnetar.Client`."""

    def __init__(self, service_url: str, *arguments: Any, **options: Any) -> None:
        self._thread = LoopThread()
        try:
            self._client = self._thread.call(_make(service_url, arguments, options))
        except BaseException:
            self._thread.close()
            raise

    def create_producer(
        self, topic: str, producer_name: str | None = None, **options: Unpack[ProducerArguments]
    ) -> Producer:
        """Open a producer. See `magnetar.Client.create_producer`."""
        made = self._thread.call(self._client.create_producer(topic, producer_name, **options))
        blocks = options.get("block_if_queue_full", False)
        limit = options.get("max_pending_messages", ProducerOptions().max_pending_messages)
        return Producer(made, self._thread, limit if blocks else 0)

    def subscribe(
        self,
        topic: str | Sequence[str] | re.Pattern[str],
        subscription_name: str,
        consumer_type: ConsumerType = ConsumerType.Exclusive,
        *,
        message_listener: Callable[[Consumer, Message], None] | None = None,
        **options: Unpack[ConsumerArguments],
    ) -> Consumer:
        """Open a consumer. See `magnetar.Client.subscribe`.

        Args:
            message_listener: called with the consumer and each message, in a thread of its own.
        """
        subscribed = self._client.subscribe(topic, subscription_name, consumer_type, **options)
        consumer = Consumer(self._thread.call(subscribed), self._thread)
        if message_listener is not None:
            consumer.listen(message_listener)
        return consumer

    def create_reader(self, topic: str, start_message_id: MessageId, **options: Any) -> Reader:
        """Open a reader. See `magnetar.Client.create_reader`."""
        made = self._client.create_reader(topic, start_message_id, **options)
        return Reader(self._thread.call(made), self._thread)

    def create_table_view(
        self, topic: str, subscription_name: str | None = None, schema: Any = None
    ) -> TableView:
        """Open a table view. See `magnetar.Client.create_table_view`."""
        made = self._client.create_table_view(topic, subscription_name, schema)
        return TableView(self._thread.call(made), self._thread)

    def get_topic_partitions(self, topic: str) -> list[str]:
        """The full names of a topic's partitions; the topic itself if it has none."""
        return self._thread.call(self._client.get_topic_partitions(topic))

    def close(self) -> None:
        """Close all producers and consumers after what was sent has its receipts, then the rest."""
        try:
            self._thread.call(self._client.close())
        finally:
            self._thread.close()

    def shutdown(self) -> None:
        """Close everything at once, without waiting for receipts."""
        try:
            self._thread.call(_shut_down(self._client))
        finally:
            self._thread.close()


async def _make(
    service_url: str, arguments: Sequence[Any], options: dict[str, Any]
) -> asyncio_client.Client:
    return asyncio_client.Client(service_url, *arguments, **options)


async def _shut_down(client: asyncio_client.Client) -> None:
    client.shutdown()
    await client.close()
