"""The socket of a consumer or reader: messages out, acks and permits in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from magnetar_broker.errors import BrokerError
from magnetar_broker.http.websocket import frames
from magnetar_broker.http.websocket.frames import FrameTextError, SocketErrorCode
from magnetar_broker.http.websocket.socket import GOING_AWAY, UNREADABLE, SocketSession
from magnetar_broker.inner_client.message_ids import MessageIdError, id_of
from magnetar_broker.inner_client.receiver import ReceiveOptions, Receiver

if TYPE_CHECKING:
    from aiohttp import web
    from magnetar_proto import pulsar_api_pb2 as api

    from magnetar_broker.inner_client.topic_consumer import ConsumerOptions
    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic_name import TopicName


class ConsumerSocket(SocketSession):
    """Pushes while there are slots: `receiverQueueSize` at first, one more for each ack or nack; in
    pull mode none at first, and as many more as a permit says."""

    def __init__(
        self,
        service: BrokerService,
        request: web.Request,
        topics: Sequence[TopicName],
        options: ConsumerOptions,
        receive: ReceiveOptions,
        *,
        pull: bool = False,
    ) -> None:
        super().__init__(service, request)
        self._topics = topics
        self._options = options
        self._pull = pull
        self.slots = 0 if pull else max(receive.window, 1)
        self._news = asyncio.Event()
        self.receiver = Receiver(self.client, receive, self.scope, self._news.set)

    async def open(self) -> None:
        await self.receiver.open(await self._partitions(), self._options)

    async def _partitions(self) -> list[TopicName]:
        names: list[TopicName] = []
        for topic in self._topics:
            count = 0 if topic.is_partition else await self.client.partitions(topic)
            names += [topic.partition(index) for index in range(count)] or [topic]
        return names

    def began(self) -> None:
        self.scope.spawn(self._push(), name="push to a socket")

    def end(self) -> None:
        self.receiver.close()

    async def _push(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self.slots > 0 and (message := self.receiver.take()) is not None:
                self.slots -= 1
                await self.send(frames.message_text(message))
                self.pushed(message.id)
            if self.receiver.failure is not None:
                await self.close(GOING_AWAY, str(self.receiver.failure))
                return

    def pushed(self, place: api.MessageIdData) -> None:
        """A message was sent."""

    async def took(self, text: str | bytes) -> None:
        try:
            await self.command(frames.read_object(text))
        except (FrameTextError, MessageIdError) as error:
            await self.close(UNREADABLE, str(error))

    async def command(self, frame: dict[str, Any]) -> None:
        """Raises FrameTextError, MessageIdError."""
        kind = frame.get("type")
        if kind == "permit":
            self._permit(frame.get("permitMessages"))
        elif kind == "unsubscribe":
            await self._unsubscribe()
        elif kind == "isEndOfTopic":
            await self.send(frames.end_of_topic(ended=self.receiver.end_of_topic))
        elif kind == "negativeAcknowledge":
            self.receiver.nack([_place_in(frame)])
            self._slot_freed()
        else:
            self.receiver.ack([_place_in(frame)])
            self._slot_freed()

    def _slot_freed(self) -> None:
        if not self._pull:
            self.free(1)

    def free(self, slots: int) -> None:
        """So many more messages may be pushed."""
        self.slots += slots
        self._news.set()

    def _permit(self, count: Any) -> None:
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count < 1 << 31:
            text = "Missing required permitMessages field for 'permit' command"
            raise FrameTextError(SocketErrorCode.READ_JSON, text)
        if self._pull:
            self.free(count)

    async def _unsubscribe(self) -> None:
        try:
            await self.receiver.unsubscribe()
        except BrokerError as error:
            await self.close(GOING_AWAY, str(error))


class ReaderSocket(ConsumerSocket):
    """Acks by itself; any text but the question for the end asks for one message more."""

    def pushed(self, place: api.MessageIdData) -> None:
        self.receiver.ack([place])

    async def command(self, frame: dict[str, Any]) -> None:
        if frame.get("type") == "isEndOfTopic":
            await self.send(frames.end_of_topic(ended=self.receiver.end_of_topic))
        else:
            self.free(1)


def _place_in(frame: dict[str, Any]) -> api.MessageIdData:
    text = frame.get("messageId")
    if not isinstance(text, str):
        raise MessageIdError("The frame has no messageId")
    return id_of(text)
