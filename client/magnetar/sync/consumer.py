"""Blocking consumers and readers."""

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from magnetar import consumer as asyncio_consumer
from magnetar import reader as asyncio_reader
from magnetar.closing import Closing
from magnetar.consumer import MessageOrId
from magnetar.errors import AlreadyClosed, PulsarException
from magnetar.message import Message
from magnetar.message_id import MessageId
from magnetar.sync.loop_thread import LoopThread

log = logging.getLogger(__name__)

MAX_FETCHED: Final = 64
"""So many messages come with one wait for the loop, if they are there."""


class Consumer(Closing):
    """Receives messages of a subscription, in any thread. See `magnetar.Consumer`."""

    def __init__(self, consumer: asyncio_consumer.Consumer, thread: LoopThread) -> None:
        self._consumer = consumer
        self._thread = thread
        # Any thread takes from it; the loop alone puts into it, and only what nobody in the loop
        # waits for: who waits there does not look here again.
        self._fetched: deque[Message] = deque()
        self._wanted = 0

    def receive(self, timeout_millis: int | None = None) -> Message:
        """The next message, waiting for it. See `magnetar.Consumer.receive`."""
        try:
            return self._fetched.popleft()
        except IndexError:
            pass
        return self._thread.call(self._fetch(timeout_millis))

    async def _fetch(self, timeout_millis: int | None) -> Message:
        try:
            return self._fetched.popleft()  # put there since the thread looked
        except IndexError:
            pass
        self._wanted += 1
        try:
            message = await self._consumer.receive(timeout_millis)
        finally:
            self._wanted -= 1
        self._fetch_more()
        return message

    def _fetch_more(self) -> None:
        consumer = self._consumer
        room = min(MAX_FETCHED, consumer.options.receiver_queue_size // 2) - 1 - len(self._fetched)
        for _ in range(min(room, len(consumer.inbox) - self._wanted)):
            message = consumer.receive_nowait()
            if message is None:
                break
            self._fetched.append(message)

    def batch_receive(self) -> list[Message]:
        """Several messages. See `magnetar.Consumer.batch_receive`."""
        return self._all_fetched() or self._thread.call(self._fetch_batch())

    def _all_fetched(self) -> list[Message]:
        fetched: list[Message] = []
        with suppress(IndexError):  # another thread took the rest
            for _ in range(len(self._fetched)):
                fetched.append(self._fetched.popleft())  # noqa: PERF401
        return fetched

    async def _fetch_batch(self) -> list[Message]:
        if fetched := self._all_fetched():
            return fetched
        self._wanted += sys.maxsize  # it may want all that comes
        try:
            return await self._consumer.batch_receive()
        finally:
            self._wanted -= sys.maxsize

    def acknowledge(self, message: MessageOrId) -> None:
        """A message is done. See `magnetar.Consumer.acknowledge`."""
        if self._consumer.options.ack_receipt_enabled:
            self._thread.call(self._consumer.acknowledge(message))
            return
        self._consumer.check(message)
        self._thread.call_soon(self._consumer.acknowledge_nowait, message)

    def acknowledge_cumulative(self, message: MessageOrId) -> None:
        """A message and all before it are done. See `magnetar.Consumer.acknowledge_cumulative`."""
        self._thread.call(self._consumer.acknowledge_cumulative(message))

    def negative_acknowledge(self, message: MessageOrId) -> None:
        """A message could not be processed: it comes again after a while."""
        self._thread.call(self._consumer.negative_acknowledge(message))

    def reconsume_later(
        self, message: Message, delay_ms: int, properties: dict[str, str] | None = None
    ) -> None:
        """Have a message come again later. See `magnetar.Consumer.reconsume_later`."""
        self._thread.call(self._consumer.reconsume_later(message, delay_ms, properties))

    def redeliver_unacknowledged_messages(self) -> None:
        """Have the broker send all that is not acknowledged again."""
        self._fetched.clear()
        self._thread.call(self._consumer.redeliver_unacknowledged_messages())

    def seek(self, messageid: MessageId | int) -> None:
        """Begin elsewhere. See `magnetar.Consumer.seek`."""
        self._fetched.clear()
        self._thread.call(self._consumer.seek(messageid))
        self._fetched.clear()

    def get_last_message_id(self) -> MessageId:
        """The id of the last message of the topic."""
        return self._thread.call(self._consumer.get_last_message_id())

    def unsubscribe(self, force: bool = False) -> None:
        """Delete the subscription; the consumer ends, also without an answer, unless refused."""
        self._thread.call(self._consumer.unsubscribe(force))

    def pause_message_listener(self) -> None:
        """Ask for no more messages."""
        self._thread.call_soon(self._consumer.pause)

    def resume_message_listener(self) -> None:
        """Ask for messages again."""
        self._thread.call_soon(self._consumer.resume)

    def close(self) -> None:
        """End the consumer; the subscription stays."""
        self._thread.call(self._consumer.close())
        self._fetched.clear()

    def topic(self) -> str:
        """What was subscribed to."""
        return self._consumer.topic()

    def subscription_name(self) -> str:
        """The subscription."""
        return self._consumer.subscription_name()

    def consumer_name(self) -> str:
        """Its name; empty if it was given none."""
        return self._consumer.consumer_name()

    def is_connected(self) -> bool:
        """Whether it is connected just now."""
        return self._consumer.is_connected()

    def listen(self, listener: Callable[["Consumer", Message], None]) -> None:
        """Have a thread of its own call `listener` with each message until the consumer ends."""
        name = f"listener of {self.topic()}"
        threading.Thread(target=self._listen, args=(listener,), name=name, daemon=True).start()

    def _listen(self, listener: Callable[["Consumer", Message], None]) -> None:
        while True:
            try:
                message = self.receive()
            except AlreadyClosed:
                return
            except PulsarException as error:
                log.error("%s gives no more messages: %s", self.topic(), error)
                return
            try:
                listener(self, message)
            except Exception:
                # A listener's failure is its own: the message stays unacknowledged.
                log.exception("the listener of %s failed with %r", self.topic(), message)

    def __iter__(self) -> Iterator[Message]:
        while True:
            try:
                yield self.receive()
            except AlreadyClosed:
                if self._consumer.closed:
                    return
                raise


class Reader(Closing):
    """Reads a topic. See `magnetar.Reader`."""

    def __init__(self, reader: asyncio_reader.Reader, thread: LoopThread) -> None:
        self._reader = reader
        self._thread = thread

    def read_next(self, timeout_millis: int | None = None) -> Message:
        """The next message, waiting for it."""
        return self._thread.call(self._reader.read_next(timeout_millis))

    def has_message_available(self) -> bool:
        """Whether `read_next` would give a message that is in the topic now."""
        return self._thread.call(self._reader.has_message_available())

    def seek(self, messageid: MessageId | int) -> None:
        """Go on elsewhere."""
        self._thread.call(self._reader.seek(messageid))

    def get_last_message_id(self) -> MessageId:
        """The id of the last message of the topic."""
        return self._thread.call(self._reader.get_last_message_id())

    def topic(self) -> str:
        """The topic's full name."""
        return self._reader.topic()

    def is_connected(self) -> bool:
        """Whether it is connected just now."""
        return self._reader.is_connected()

    def close(self) -> None:
        """End the reader."""
        self._thread.call(self._reader.close())
