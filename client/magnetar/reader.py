"""Readers: through a topic from any place, without a subscription that stays."""

from collections.abc import AsyncIterator

from magnetar.closing import AsyncClosing
from magnetar.consumer import Consumer
from magnetar.errors import AlreadyClosed
from magnetar.message import Message
from magnetar.message_id import MessageId
from magnetar.topic_consumer import TopicConsumer


class Reader(AsyncClosing):
    """Reads a topic. Made by `Client.create_reader`."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    async def read_next(
        self,
        timeout_millis: int | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Message:
        """The next message, waiting for it. See `Consumer.receive`."""
        message = await self._consumer.receive(timeout_millis, timeout=timeout)
        # Tells the broker how far the reader is: what it keeps for it, and its statistics.
        await self._consumer.acknowledge_cumulative(message)
        return message

    async def has_message_available(self) -> bool:
        """Whether `read_next` would give a message that is in the topic now."""
        if len(self._consumer.inbox):
            return True
        for source in self._consumer.sources.values():
            if await _has_more(source):
                return True
        return bool(len(self._consumer.inbox))

    async def seek(self, messageid: MessageId | int) -> None:
        """Go on elsewhere. See `Consumer.seek`."""
        await self._consumer.seek(messageid)

    async def get_last_message_id(self) -> MessageId:
        """The id of the last message of the topic. See `Consumer.get_last_message_id`."""
        return await self._consumer.get_last_message_id()

    async def get_last_message_ids(self) -> list[MessageId]:
        """The last message of each partition."""
        return await self._consumer.get_last_message_ids()

    def topic(self) -> str:
        """The topic's full name."""
        return self._consumer.topic()

    def is_connected(self) -> bool:
        """Whether it is connected just now."""
        return self._consumer.is_connected()

    async def close(self) -> None:
        """End the reader."""
        await self._consumer.close()

    def shutdown(self) -> None:
        """End the reader at once, without waiting for anything."""
        self._consumer.shutdown()

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.read_next()
        except AlreadyClosed as error:
            if self._consumer.closed:
                raise StopAsyncIteration from error
            raise


async def _has_more(source: TopicConsumer) -> bool:
    last, done = await source.last_message_id()
    if last.ledger_id() < 0:
        return False
    core = source.core
    base = core.position or core.start
    inclusive = core.position is None and core.inclusive
    if base is None and done is not None and source.begins_at_end:
        # At the end of the topic, as it was when the broker was asked.
        base = done
    if base is None:
        return not source.begins_at_end
    base_place, last_place = _place(base), _place(last)
    if base_place != last_place:
        return base_place < last_place
    if inclusive:
        return True
    return 0 <= base.batch_index() < last.batch_index()


def _place(message_id: MessageId) -> tuple[int, int]:
    return message_id.ledger_id(), message_id.entry_id()
