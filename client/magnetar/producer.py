"""Producers as users have them: of one topic, with all its partitions."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, TypedDict

from magnetar_runtime.clock import Clock

from magnetar.all_done import all_done
from magnetar.closing import AsyncClosing
from magnetar.errors import PulsarException
from magnetar.message_id import MessageId
from magnetar.outgoing import MessageOptions
from magnetar.routing import Router
from magnetar.topic_producer import TopicProducer

SendCallback = Callable[[PulsarException | None, MessageId | None], None]
"""Told what became of a message: an error or an id."""

_LOCAL_CLUSTER: Final = "__local__"


class SendArguments(TypedDict, total=False):
    """What a message carries beside its content; `Producer.send` explains it."""

    properties: Mapping[str, str] | None
    partition_key: str | None
    ordering_key: str | bytes | None
    sequence_id: int | None
    replication_clusters: Sequence[str] | None
    disable_replication: bool | None
    event_timestamp: int | None
    deliver_at: int | None
    deliver_after: timedelta | None


class Producer(AsyncClosing):
    """Sends messages to a topic. Made by `Client.create_producer`.

    `await producer.send(content)` waits for the receipt. `producer.send_nowait(content)` gives a
    future at once, so that many can be under way; `await producer.flush()` waits for all of them.
    """

    def __init__(
        self,
        topic: str,
        partitions: list[TopicProducer],
        router: Router,
        encode: Callable[[Any], bytes] | None,
        clock: Clock,
        *,
        block_if_queue_full: bool,
        partitioned: bool,
        forget: Callable[["Producer"], None],
    ) -> None:
        self._topic = topic
        self._partitions = partitions
        self._only = partitions[0] if len(partitions) == 1 else None
        self._router = router
        self._encode = encode
        self._clock = clock
        self._block = block_if_queue_full
        self.partitioned = partitioned
        self._forget = forget
        self._loop = asyncio.get_running_loop()

    async def send(
        self,
        content: Any,
        properties: Mapping[str, str] | None = None,
        partition_key: str | None = None,
        ordering_key: str | bytes | None = None,
        sequence_id: int | None = None,
        replication_clusters: Sequence[str] | None = None,
        disable_replication: bool | None = None,
        event_timestamp: int | None = None,
        deliver_at: int | None = None,
        deliver_after: timedelta | None = None,
    ) -> MessageId:
        """Send a message, and wait until it is stored.

        Cancelled, it does not wait any more; the message may be stored all the same.

        Args:
            content: bytes, or what the schema takes.
            properties: texts by name, for applications.
            partition_key: messages with one key go to one partition, in order.
            ordering_key: what decides about the consumer of a key-shared subscription, instead.
            sequence_id: a number that grows, for deduplication; counted by itself otherwise.
            replication_clusters: to which clusters it goes.
            disable_replication: it stays in this cluster.
            event_timestamp: ms since 1970, for applications.
            deliver_at: not before this time (ms since 1970), in shared subscriptions.
            deliver_after: not before so long from now, in shared subscriptions.

        Raises:
            ProducerQueueIsFull: too many messages wait, and `block_if_queue_full` is off.
            Timeout: no receipt within the send time-out; it may be stored all the same.
            PulsarException: the broker refuses.
        """
        data = content if self._encode is None else self._encode(content)
        options = self._options(
            properties,
            partition_key,
            ordering_key,
            replication_clusters,
            disable_replication,
            event_timestamp,
            deliver_at,
            deliver_after,
        )
        target = self._only or self._choose(options)
        if self._block and not target.core.has_room:
            await target.room()
        future: asyncio.Future[MessageId] = self._loop.create_future()
        target.send_now(_checked(data), options, sequence_id, future)
        return await future

    def send_nowait(
        self,
        content: Any,
        properties: Mapping[str, str] | None = None,
        partition_key: str | None = None,
        ordering_key: str | bytes | None = None,
        sequence_id: int | None = None,
        replication_clusters: Sequence[str] | None = None,
        disable_replication: bool | None = None,
        event_timestamp: int | None = None,
        deliver_at: int | None = None,
        deliver_after: timedelta | None = None,
    ) -> "asyncio.Future[MessageId]":
        """Send a message; gives a future for its id. Arguments as for `send`.

        Raises:
            ProducerQueueIsFull: too many messages wait; see `room`.
            PulsarException: it cannot be sent.
        """
        future: asyncio.Future[MessageId] = self._loop.create_future()
        data = content if self._encode is None else self._encode(content)
        options = self._options(
            properties,
            partition_key,
            ordering_key,
            replication_clusters,
            disable_replication,
            event_timestamp,
            deliver_at,
            deliver_after,
        )
        target = self._only or self._choose(options)
        target.send_now(_checked(data), options, sequence_id, future)
        return future

    def send_async(
        self,
        content: Any,
        callback: SendCallback,
        properties: Mapping[str, str] | None = None,
        partition_key: str | None = None,
        ordering_key: str | bytes | None = None,
        sequence_id: int | None = None,
        replication_clusters: Sequence[str] | None = None,
        disable_replication: bool | None = None,
        event_timestamp: int | None = None,
        deliver_at: int | None = None,
        deliver_after: timedelta | None = None,
    ) -> None:
        """Send a message; `callback(error, message_id)` is called in the loop. See `send`."""
        data = content if self._encode is None else self._encode(content)
        options = self._options(
            properties,
            partition_key,
            ordering_key,
            replication_clusters,
            disable_replication,
            event_timestamp,
            deliver_at,
            deliver_after,
        )
        target = self._only or self._choose(options)
        target.send_now(_checked(data), options, sequence_id, _Callback(callback, self._loop))

    async def room(self) -> None:
        """Wait until `send_nowait` has room for a message, whichever partition it goes to."""
        for partition in self._partitions:
            await partition.room()

    async def flush(self) -> None:
        """Send what is collected in batches, and wait until the fate of all messages is known."""
        await all_done([partition.flush() for partition in self._partitions])

    async def close(self) -> None:
        """End the producer after what was sent has its receipts.

        Cancelled, it ends at once: what has no receipt fails.
        """
        self._forget(self)
        try:
            await all_done([_flush_and_close(partition) for partition in self._partitions])
        finally:
            self.shutdown()

    def shutdown(self) -> None:
        """End the producer at once, without waiting for anything: what has no receipt fails."""
        self._forget(self)
        for partition in self._partitions:
            partition.leave()

    def topic(self) -> str:
        """The topic's full name."""
        return self._topic

    def producer_name(self) -> str:
        """Its name: the one asked for, or what the broker made up."""
        return self._partitions[0].name

    def last_sequence_id(self) -> int:
        """Of the last message that has its receipt; -1 if there is none."""
        return max(each.core.pending.last_sequence_id for each in self._partitions)

    def is_connected(self) -> bool:
        """Whether it is connected to the brokers of all partitions just now."""
        return all(each.connection is not None for each in self._partitions)

    def num_partitions(self) -> int:
        """How many partitions it sends to."""
        return len(self._partitions)

    def grow(self, partitions: Sequence[TopicProducer]) -> None:
        """The topic has more partitions."""
        self._partitions += partitions
        self._only = None

    @property
    def partitions(self) -> Sequence[TopicProducer]:
        """One producer per partition."""
        return self._partitions

    def _choose(self, options: MessageOptions | None) -> TopicProducer:
        return self._partitions[self._router(options, len(self._partitions))]

    def _options(
        self,
        properties: Mapping[str, str] | None,
        partition_key: str | None,
        ordering_key: str | bytes | None,
        replication_clusters: Sequence[str] | None,
        disable_replication: bool | None,
        event_timestamp: int | None,
        deliver_at: int | None,
        deliver_after: timedelta | None,
    ) -> MessageOptions | None:
        if (
            properties is None
            and partition_key is None
            and ordering_key is None
            and replication_clusters is None
            and not disable_replication
            and event_timestamp is None
            and deliver_at is None
            and deliver_after is None
        ):
            return None
        if deliver_after is not None:
            deliver_at = self._clock.wall_ms() + deliver_after // timedelta(milliseconds=1)
        key = ordering_key
        if isinstance(key, str):
            key = key.encode("utf-8", "surrogateescape")  # as `Message.ordering_key` gives it
        return MessageOptions(
            properties=properties,
            partition_key=partition_key,
            ordering_key=key,
            replicate_to=[_LOCAL_CLUSTER] if disable_replication else replication_clusters or (),
            event_timestamp=event_timestamp,
            deliver_at_ms=deliver_at,
        )


class _Callback:
    """Stands where a future would."""

    __slots__ = ("_callback", "_loop")

    def __init__(self, callback: SendCallback, loop: asyncio.AbstractEventLoop) -> None:
        self._callback = callback
        self._loop = loop

    def done(self) -> bool:
        return False

    def set_result(self, message_id: MessageId) -> None:
        # Not called from here: what it raises is no business of the connection.
        self._loop.call_soon(self._callback, None, message_id)

    def set_exception(self, error: PulsarException) -> None:
        self._loop.call_soon(self._callback, error, None)


def _checked(data: Any) -> bytes:
    if data.__class__ is bytes:
        return data
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise TypeError(
        f"content is {type(data).__name__}, not bytes: encode it, or give the producer a schema"
    )


async def _flush_and_close(partition: TopicProducer) -> None:
    if not partition.closed:
        with suppress(TimeoutError):  # what has no receipt then fails
            async with asyncio.timeout(partition.close_timeout_s):
                await partition.flush()
    await partition.close()
