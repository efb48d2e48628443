"""Blocking producers."""

import threading
from typing import Any, Unpack

from magnetar import producer as asyncio_producer
from magnetar.closing import Closing
from magnetar.errors import PulsarException
from magnetar.message_id import MessageId
from magnetar.producer import SendArguments, SendCallback
from magnetar.sync.loop_thread import LoopThread


class Producer(Closing):
    """Sends messages to a topic, from any thread. See `magnetar.Producer`."""

    def __init__(
        self, producer: asyncio_producer.Producer, thread: LoopThread, pending_limit: int
    ) -> None:
        self._producer = producer
        self._thread = thread
        # Back-pressure for threads: the loop cannot hold them up.
        self._room = threading.BoundedSemaphore(pending_limit) if pending_limit else None

    def send(self, content: Any, **options: Unpack[SendArguments]) -> MessageId:
        """Send a message, and wait until it is stored. See `magnetar.Producer.send`."""
        return self._thread.call(self._producer.send(content, **options))

    def send_async(
        self, content: Any, callback: SendCallback, **options: Unpack[SendArguments]
    ) -> None:
        """Send a message without waiting for the receipt.

        Args:
            callback: `callback(error, message_id)`, called in the client's thread: it must not
                wait for anything.

        With `block_if_queue_full` this waits while too many messages are under way.
        """
        if self._room is not None:
            self._room.acquire()
            callback = _Released(callback, self._room)
        try:
            self._thread.call_soon(self._send_now, content, callback, options)
        except BaseException:
            if self._room is not None:
                self._room.release()
            raise

    def _send_now(self, content: Any, callback: SendCallback, options: SendArguments) -> None:
        try:
            self._producer.send_async(content, callback, **options)
        except PulsarException as error:
            callback(error, None)
        except (TypeError, ValueError) as error:
            # What the caller did wrong is told where its results are told.
            wrapped = PulsarException(f"the message was not sent: {error}")
            wrapped.__cause__ = error
            callback(wrapped, None)

    def flush(self) -> None:
        """Send what is collected, and wait until the fate of all messages is known."""
        self._thread.call(self._producer.flush())

    def close(self) -> None:
        """End the producer after what was sent has its receipts."""
        self._thread.call(self._producer.close())

    def topic(self) -> str:
        """The topic's full name."""
        return self._producer.topic()

    def producer_name(self) -> str:
        """Its name."""
        return self._producer.producer_name()

    def last_sequence_id(self) -> int:
        """Of the last message that has its receipt; -1 if there is none."""
        return self._producer.last_sequence_id()

    def is_connected(self) -> bool:
        """Whether it is connected just now."""
        return self._producer.is_connected()


class _Released:
    """A callback that gives its place to the next message."""

    __slots__ = ("_callback", "_room")

    def __init__(self, callback: SendCallback, room: threading.BoundedSemaphore) -> None:
        self._callback = callback
        self._room = room

    def __call__(self, error: PulsarException | None, message_id: MessageId | None) -> None:
        self._room.release()
        self._callback(error, message_id)
