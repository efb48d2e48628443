"""A consumer whose client comes and goes: each request of it finds what the last one left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.scope import TaskScope

from magnetar_broker.errors import ServiceNotReadyError
from magnetar_broker.inner_client.inner_client import InnerClient
from magnetar_broker.inner_client.opened import Message
from magnetar_broker.inner_client.receiver import ReceiveOptions, Receiver

if TYPE_CHECKING:
    from magnetar_broker.inner_client.topic_consumer import ConsumerOptions, TopicConsumer
    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic_name import TopicName

_LINGER_S: Final = 0.002
"""When the first message came, how long more are waited for."""

Position = api.MessageIdData | int
"""A message, or a time in ms."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What a session is made with."""

    consumer: ConsumerOptions
    receive: ReceiveOptions


class ConsumerSession:
    """Asks for as many messages as its client waits for, and for none otherwise.

    Attributes:
        options: What it was made with.
        used_ns: When its client last asked for anything.
        polls: Requests of it that are under way.
    """

    def __init__(
        self, service: BrokerService, remote_address: str, options: SessionOptions
    ) -> None:
        self.options = options
        self.used_ns = service.clock.monotonic_ns()
        self.polls = 0
        self._service = service
        self._scope = TaskScope()
        self._client = InnerClient(service, remote_address)
        self._news = asyncio.Event()
        self.receiver = Receiver(self._client, options.receive, self._scope, self._news.set)
        self.receiver.window = 0  # nothing is asked for ahead
        self._wanted = 0
        self._ended = False

    async def open(self, topic: TopicName) -> None:
        """Subscribe to the topic, or to its partitions. Raises BrokerError."""
        count = 0 if topic.is_partition else await self._client.partitions(topic)
        names = [topic.partition(index) for index in range(count)] or [topic]
        await self.receiver.open(names, self.options.consumer)

    async def close(self) -> None:
        """Leave the subscription; what was not acked comes again, to whoever is there."""
        self._ended = True
        self.receiver.close()
        self._client.close()
        self._news.set()
        await self._scope.close()

    async def receive(
        self,
        most: int,
        most_bytes: int,
        wait_s: float,
        *,
        wanted: Callable[[], bool] = lambda: True,
    ) -> list[Message]:
        """Messages that are there, or that come first within the time; none if none came.

        Args:
            wanted: False if whom they are for is gone: they stay for who asks next.

        Raises:
            BrokerError: none will come any more.
        """
        self._want(most)
        self.polls += 1
        try:
            await self._wait(wait_s, most)
            return self._take(most if wanted() else 0, most_bytes)
        finally:
            self.polls -= 1
            self._want(-most)
            self.used_ns = self._service.clock.monotonic_ns()

    def _want(self, more: int) -> None:
        self._wanted += more
        self.receiver.window = self._wanted
        if more > 0:
            self.receiver.ask()

    async def _wait(self, wait_s: float, most: int) -> None:
        receiver = self.receiver
        self._check_open()
        try:
            async with asyncio.timeout(wait_s):
                while not receiver.waiting and not receiver.end_of_topic:
                    self._check_open()
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return
        if receiver.waiting < most and wait_s:
            await asyncio.sleep(_LINGER_S)

    def _check_open(self) -> None:
        """Somebody may have ended it, or begun it anew, while a request waited."""
        if self._ended:
            raise ServiceNotReadyError("The consumer was ended; ask again")
        if self.receiver.failure is not None and not self.receiver.waiting:
            raise self.receiver.failure

    def _take(self, most: int, most_bytes: int) -> list[Message]:
        messages: list[Message] = []
        while len(messages) < most and most_bytes > 0:
            message = self.receiver.take()
            if message is None:
                break
            most_bytes -= message.size_bytes
            messages.append(message)
        if self.receiver.waiting:
            self._news.set()  # somebody else may wait
        return messages

    def ack(self, places: Iterable[api.MessageIdData]) -> int:
        """How many of them belong to the session's topic."""
        self.used_ns = self._service.clock.monotonic_ns()
        return self.receiver.ack(places)

    def nack(self, places: Iterable[api.MessageIdData], delay_ms: int) -> int:
        """As `ack`; they come again after the delay."""
        self.used_ns = self._service.clock.monotonic_ns()
        return self.receiver.nack(places, delay_ms)

    async def seek(self, position: Position) -> None:
        """Go on at a message, or with what was published since a time. Raises BrokerError."""
        receiver = self.receiver
        self.used_ns = self._service.clock.monotonic_ns()

        def command(consumer: TopicConsumer) -> api.CommandSeek | None:
            asked = api.CommandSeek(consumer_id=0, request_id=0)
            if isinstance(position, int):
                asked.message_publish_time = position
                return asked
            everywhere = position.entryId in _ENDS
            if not everywhere and receiver.consumer_of(position) is not consumer:
                return None
            asked.message_id.ledgerId = position.ledgerId
            asked.message_id.entryId = position.entryId
            return asked

        await receiver.seek(command)

    @property
    def topics(self) -> Sequence[str]:
        """What it is subscribed to."""
        return [str(each.topic) for each in self.receiver.consumers]


EARLIEST: Final = api.MessageIdData(ledgerId=2**64 - 1, entryId=2**64 - 1)
LATEST: Final = api.MessageIdData(ledgerId=2**63 - 1, entryId=2**63 - 1)
_ENDS: Final = (EARLIEST.entryId, LATEST.entryId)
