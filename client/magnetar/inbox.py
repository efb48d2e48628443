"""Messages that wait for `receive`, of one consumer with all its topics."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from magnetar.message import Message

if TYPE_CHECKING:
    from magnetar.topic_consumer import TopicConsumer


class Inbox:
    """A queue whose bound is that of the permits that the broker was given.

    Whoever waits may be cancelled at any point: a message leaves only in the step in which it is
    returned.
    """

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._error: Exception | None = None

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def awaited(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    def put(self, messages: Sequence[Message]) -> None:
        """Messages arrived."""
        self._messages.extend(messages)
        if self._waiting:
            self._wake(len(messages))

    def pop(self) -> Message | None:
        """The next message if there is one and nobody waits before."""
        return self._messages.popleft() if self._messages else None

    def put_back(self, messages: Sequence[Message]) -> None:
        """Messages that were taken are not wanted yet: they come next."""
        self._messages.extendleft(reversed(messages))
        self._wake(len(messages))

    async def arrival(self) -> None:
        """Wait until there is a message, or the end.

        Raises:
            PulsarException: no more will come.
        """
        while not self._messages:
            if self._error is not None:
                raise self._error
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            try:
                await future
            except BaseException:
                future.cancel()
                if future in self._waiting:
                    self._waiting.remove(future)
                elif self._messages:
                    self._wake(1)  # what woke this one is another's now
                raise

    def drop(self, source: "TopicConsumer") -> int:
        """Forget the messages of one topic; gives how many."""
        kept = deque(message for message in self._messages if message._source is not source)
        dropped = len(self._messages) - len(kept)
        self._messages = kept
        return dropped

    def end(self, error: Exception) -> None:
        """No more will come; what is here can still be taken."""
        self._error = error
        self._wake(len(self._waiting))

    def forked(self, error: Exception) -> None:
        """This is the child of a fork: who waits is in the parent."""
        self._error = error
        self._messages.clear()
        self._waiting.clear()

    def _wake(self, count: int) -> None:
        while self._waiting and count:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                count -= 1
