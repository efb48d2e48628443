"""The socket of a producer: frames with messages in, receipts out."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from magnetar_proto.errors import PayloadError

from magnetar_broker.errors import BrokerError
from magnetar_broker.http.websocket import frames, parameters
from magnetar_broker.http.websocket.socket import SocketSession
from magnetar_broker.inner_client.message_ids import stored_ids
from magnetar_broker.inner_client.routed_producer import RoutedProducer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic_name import TopicName

_MOST_HELD_BYTES: Final = 4 << 20
"""Frames that are not answered yet and answers that were not read: at so much nothing more is taken
from the peer. Contexts are of any size, and come back."""


class ProducerSocket(SocketSession):
    """A `SendSink`."""

    def __init__(self, service: BrokerService, request: web.Request, topic: TopicName) -> None:
        super().__init__(service, request)
        query = request.query
        mode, hashing = parameters.routing(query)
        self._producer = RoutedProducer(
            self.client,
            topic,
            parameters.producer_options(query),
            self.scope,
            routing=mode,
            hashing=hashing,
        )
        self._contexts: dict[int, tuple[str | None, int]] = {}  # with the size of the frame
        self._held_bytes = 0
        self._token = 0
        self._answers: deque[str] = deque()
        self._news = asyncio.Event()
        self._read = asyncio.Event()
        self._read.set()

    async def open(self) -> None:
        await self._producer.open()

    def began(self) -> None:
        self.scope.spawn(self._send_answers(), name="answer a producer's socket")

    def end(self) -> None:
        self._producer.close()

    async def took(self, text: str | bytes) -> None:
        if not self._read.is_set():
            await self._read.wait()
        try:
            message, context = frames.read_send(text, self.service.clock.wall_ms)
        except frames.FrameTextError as error:
            self._answer(frames.not_stored(error.code, str(error), error.context))
            return
        self._token += 1
        self._contexts[self._token] = context, len(text)
        self._hold(len(text))
        producer = self._producer.choose(message)
        try:
            if not producer.has_room:
                await producer.room()
            producer.send(message, self._token, self)
        except (BrokerError, PayloadError) as error:
            self._refuse(self._token, str(error))

    def stored(self, tokens: Sequence[int], ledger_id: int, entry_id: int, partition: int) -> None:
        texts = stored_ids(len(tokens), ledger_id, entry_id, partition)
        for token, text in zip(tokens, texts, strict=True):
            self._answer(frames.stored(text, self._taken(token)))

    def not_stored(self, token: int, error: BrokerError) -> None:
        self._refuse(token, str(error))

    def _refuse(self, token: int, text: str) -> None:
        context = self._taken(token)
        self._answer(frames.not_stored(frames.SocketErrorCode.UNKNOWN, text, context))

    def _taken(self, token: int) -> str | None:
        context, size_bytes = self._contexts.pop(token)
        self._hold(-size_bytes)
        return context

    def _answer(self, text: str) -> None:
        self._answers.append(text)
        self._hold(len(text))
        self._news.set()

    def _hold(self, size_bytes: int) -> None:
        """So much more is held for this peer, or so much less."""
        self._held_bytes += size_bytes
        if self._held_bytes > _MOST_HELD_BYTES:
            self._read.clear()
        else:
            self._read.set()

    async def _send_answers(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._answers:
                text = self._answers.popleft()
                await self.send(text)
                self._hold(-len(text))
