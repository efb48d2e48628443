"""Consumers as users have them: of one topic, of several, or of all that match a pattern."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from magnetar.all_done import all_done
from magnetar.closing import AsyncClosing
from magnetar.consumer_options import ConsumerOptions
from magnetar.errors import (
    AlreadyClosed,
    ConnectError,
    CumulativeAcknowledgementNotAllowedError,
    InvalidConfiguration,
    OperationNotSupported,
    PulsarException,
    Timeout,
)
from magnetar.inbox import Inbox
from magnetar.message import Message
from magnetar.message_id import MessageId
from magnetar.topic_consumer import TopicConsumer
from magnetar.types import ConsumerBatchReceivePolicy

if TYPE_CHECKING:  # it loads producers
    from magnetar.dead_letters import DeadLetters

MessageOrId = Message | MessageId


class Consumer(AsyncClosing):
    """Receives messages of a subscription. Made by `Client.subscribe`.

    `async for message in consumer` receives for ever. `receive` may be cancelled at any time: no
    message is lost by that.
    """

    def __init__(
        self,
        topic: str,
        options: ConsumerOptions,
        inbox: Inbox,
        letters: "DeadLetters | None",
        forget: Callable[["Consumer"], None],
    ) -> None:
        self._topic = topic
        self.options = options
        self._inbox = inbox
        self.letters = letters
        self._forget = forget
        self._sources: dict[str, TopicConsumer] = {}
        self._closed = False
        self._paused = False
        self._no_queue = options.receiver_queue_size == 0

    # Receiving.

    async def receive(
        self,
        timeout_millis: int | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Message:
        """The next message, waiting for it.

        Cancelled, it has taken nothing.

        Args:
            timeout_millis: how long to wait; for ever if neither is given.
            timeout: the same, in seconds.

        Raises:
            Timeout: none came in time.
            AlreadyClosed: the consumer was closed.
        """
        message = self._inbox.pop()
        if message is None:
            wait_s = timeout if timeout_millis is None else timeout_millis / 1000
            message = await self._wait(wait_s)
        message._source.taken(message)
        if self._no_queue and self._inbox.awaited:
            self._ask()  # what was asked for was this one's; the next in line has nobody to ask
        return message

    async def _wait(self, timeout_s: float | None) -> Message:
        inbox = self._inbox
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    if self._no_queue:
                        self._ask()
                    await inbox.arrival()
                    if (message := inbox.pop()) is not None:
                        return message
        except TimeoutError as error:
            raise Timeout(f"{self._topic}: no message in {timeout_s:g} s") from error

    def _ask(self) -> None:
        for source in self._sources.values():
            if not source.asked:
                source.ask(1)

    def receive_nowait(self) -> Message | None:
        """The next message if one is here."""
        message = self._inbox.pop()
        if message is not None:
            message._source.taken(message)
        return message

    async def batch_receive(self) -> list[Message]:
        """Several messages: as many as there are when a bound of the policy is reached."""
        policy = self.options.batch_receive_policy or ConsumerBatchReceivePolicy()
        max_messages = _bound(policy.max_num_message, self.options.receiver_queue_size)
        max_bytes = _bound(policy.max_num_bytes, 0)
        deadline_s = None
        if policy.timeout_ms > 0:
            deadline_s = asyncio.get_running_loop().time() + policy.timeout_ms / 1000
        messages: list[Message] = []
        size_bytes = 0
        while len(messages) < max_messages and size_bytes < max_bytes:
            message = self._inbox.pop()
            if message is not None:
                messages.append(message)
                size_bytes += message.size_bytes
                continue
            try:
                async with asyncio.timeout_at(deadline_s):
                    if self._no_queue:
                        self._ask()
                    await self._inbox.arrival()
            except TimeoutError:
                break
            except BaseException:
                self._inbox.put_back(messages)  # nothing was taken
                raise
        for message in messages:
            message._source.taken(message)
        return messages

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.receive()
        except AlreadyClosed as error:
            if self._closed:
                raise StopAsyncIteration from error
            raise

    # Acknowledging.

    async def acknowledge(self, message: MessageOrId) -> None:
        """A message is done: the subscription does not get it again.

        Acknowledgements go to the broker together, after 100 ms at the latest. With
        `ack_receipt_enabled` this waits for the broker's answer.

        Raises:
            PulsarException: the consumer was closed, or the broker refuses.
        """
        if message.__class__ is Message:
            source = message._source
            if source.closed:
                self._check_open(source)
            place = (message._ledger_id, message._entry_id)
            receipt = source.acknowledge(
                place, message._batch_index, message._batch_size, cumulative=False
            )
        else:
            receipt = self._acknowledge_id(message, cumulative=False)
        if receipt is not None:
            await asyncio.shield(receipt)

    def acknowledge_nowait(self, message: MessageOrId) -> None:
        """A message is done; nobody is told whether the broker agrees."""
        source = self._source_of(message)
        if not source.closed:
            place, index, size = _where(message)
            source.acknowledge(place, index, size, cumulative=False)

    def check(self, message: MessageOrId) -> None:
        """Raise if a message can not be acknowledged here."""
        self._check_open(self._source_of(message))

    async def acknowledge_cumulative(self, message: MessageOrId) -> None:
        """A message and all before it are done. See `acknowledge`.

        Raises:
            CumulativeAcknowledgementNotAllowedError: the subscription is shared.
        """
        if self.options.shared:
            raise CumulativeAcknowledgementNotAllowedError(
                f"{self._topic}: consumers of a shared subscription acknowledge one by one"
            )
        receipt = self._acknowledge_id(message, cumulative=True)
        if receipt is not None:
            await asyncio.shield(receipt)

    def _acknowledge_id(
        self, message: MessageOrId, *, cumulative: bool
    ) -> "asyncio.Future[None] | None":
        source = self._source_of(message)
        self._check_open(source)
        place, index, size = _where(message)
        return source.acknowledge(place, index, size, cumulative=cumulative)

    async def negative_acknowledge(self, message: MessageOrId) -> None:
        """A message could not be processed: it comes again after a while."""
        source = self._source_of(message)
        self._check_open(source)
        retries = message.redelivery_count() if isinstance(message, Message) else 0
        source.negative_acknowledge(_where(message)[0], retries)

    async def reconsume_later(
        self, message: Message, delay_ms: int, properties: dict[str, str] | None = None
    ) -> None:
        """Put a message into the retry topic, whence it comes again after the delay.

        After as many times as the dead letter policy says it goes to the dead letter topic.

        Raises:
            OperationNotSupported: the consumer has no dead letter policy.
        """
        if self.letters is None:
            raise OperationNotSupported("reconsume_later needs a dead_letter_policy")
        await self.letters.retry(message, delay_ms, properties or {})
        await self.acknowledge(message)

    async def redeliver_unacknowledged_messages(self) -> None:
        """Have the broker send all that this consumer has not acknowledged again."""
        for source in self._sources.values():
            source.redeliver()

    def pause(self) -> None:
        """Ask for no more messages; those that are here already can be received."""
        self._paused = True
        for source in self._sources.values():
            source.pause()

    def resume(self) -> None:
        """Ask for messages again."""
        self._paused = False
        for source in self._sources.values():
            source.resume()

    pause_message_listener = pause
    resume_message_listener = resume

    # The subscription.

    async def seek(self, messageid: MessageId | int) -> None:
        """Begin elsewhere: behind a message, at an end of the topic, or at a time (ms since 1970).

        Raises:
            OperationNotSupported: a message's place says nothing about several topics.
        """
        sources = list(self._sources.values())
        if isinstance(messageid, MessageId) and len(sources) > 1:
            if messageid.topic_name() in self._sources:
                sources = [self._sources[messageid.topic_name() or ""]]
            elif messageid not in (MessageId.earliest, MessageId.latest):
                raise OperationNotSupported(
                    "a consumer of several topics seeks to earliest, latest, a time, or an id that "
                    "knows its topic"
                )
        await all_done([source.seek(messageid) for source in sources])

    async def get_last_message_id(self) -> MessageId:
        """The id of the last message of the topic; ledger and entry are -1 if it has none.

        Raises:
            OperationNotSupported: the consumer has several topics.
        """
        return (await self._only().last_message_id())[0]

    async def get_last_message_ids(self) -> list[MessageId]:
        """The last message of each topic or partition."""
        sources = self._sources.values()
        return [(await source.last_message_id())[0] for source in sources]

    async def unsubscribe(self, force: bool = False) -> None:
        """Delete the subscription with all that it has not got yet; the consumer ends.

        Cancelled, or without an answer (none in time, or the connection was lost), it ends all the
        same, and the subscription may be there still. Refused, it goes on.

        Args:
            force: even if it has other consumers, which end.

        Raises:
            ConnectError, Timeout: there was no answer.
            PulsarException: the broker refuses.
        """
        try:
            await all_done([source.unsubscribe(force=force) for source in self._sources.values()])
        except (asyncio.CancelledError, ConnectError, Timeout):
            # What was deleted would be made anew by a consumer that connects again.
            self.shutdown()
            raise
        await self.close()

    async def close(self) -> None:
        """End the consumer; the subscription stays.

        Cancelled, it ends all the same, and does not wait for the broker's answer.
        """
        if self._closed:
            return
        self._end()
        try:
            await all_done([source.close() for source in list(self._sources.values())])
            if self.letters is not None:
                await self.letters.close()
        finally:
            self.shutdown()

    def shutdown(self) -> None:
        """End the consumer at once, without waiting for anything."""
        if not self._closed:
            self._end()
        for source in list(self._sources.values()):
            source.leave()
        if self.letters is not None:
            self.letters.shutdown()

    def _end(self) -> None:
        self._closed = True
        self._forget(self)
        self._inbox.end(AlreadyClosed(f"the consumer of {self._topic} is closed"))

    # What it is.

    def topic(self) -> str:
        """What was subscribed to: a topic, topics with commas between, or a pattern."""
        return self._topic

    def subscription_name(self) -> str:
        """The subscription."""
        return self.options.subscription_name

    def consumer_name(self) -> str:
        """Its name; empty if it was given none."""
        return self.options.consumer_name or ""

    def is_connected(self) -> bool:
        """Whether it is connected to the brokers of all its topics just now."""
        return all(source.connection is not None for source in self._sources.values())

    @property
    def sources(self) -> dict[str, TopicConsumer]:
        """One consumer per topic or partition, by its full name."""
        return self._sources

    @property
    def inbox(self) -> Inbox:
        """What arrived."""
        return self._inbox

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def paused(self) -> bool:
        """Whether it asks for no more messages."""
        return self._paused

    # Topics that come and go.

    def add(self, source: TopicConsumer) -> None:
        """It has one more topic."""
        self._sources[source.topic] = source
        # It may have been told while this one was being opened.
        if self._paused:
            source.pause()
        else:
            source.resume()

    def source_failed(self, source: TopicConsumer, error: PulsarException) -> None:
        """A topic gives no more messages, for good; without any other `receive` says so."""
        if self._sources.get(source.topic) is not source:
            return  # it was never opened
        if len(self._sources) > 1:
            del self._sources[source.topic]
        else:
            self._inbox.end(error)

    def _only(self) -> TopicConsumer:
        if len(self._sources) != 1:
            raise OperationNotSupported(f"{self._topic} has {len(self._sources)} topics, not one")
        return next(iter(self._sources.values()))

    def _source_of(self, message: MessageOrId) -> TopicConsumer:
        if isinstance(message, Message):
            return message._source
        source = self._sources.get(message.topic_name() or "")
        if source is not None:
            return source
        if len(self._sources) == 1:
            return self._only()
        raise InvalidConfiguration(
            f"{message!r} does not say of which topic it is, and this consumer has "
            f"{len(self._sources)}: deserialize it with its topic"
        )

    def _check_open(self, source: TopicConsumer) -> None:
        if self._closed:
            raise AlreadyClosed(f"the consumer of {self._topic} is closed")
        source.check_open()


def _where(message: MessageOrId) -> tuple[tuple[int, int], int, int]:
    if isinstance(message, Message):
        place = (message._ledger_id, message._entry_id)
        return place, message._batch_index, message._batch_size
    place = (message.ledger_id(), message.entry_id())
    return place, message.batch_index(), message.batch_size()


def _bound(value: int, limit: int) -> int:
    """A bound of a policy, where none or less is no bound, and no more than a queue holds."""
    if value <= 0:
        return limit or sys.maxsize
    return min(value, limit) if limit else value
