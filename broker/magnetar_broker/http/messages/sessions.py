"""Consumers over HTTP, by topic, subscription and the name that the client chose."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from magnetar_broker.errors import TooManyRequestsError
from magnetar_broker.http.messages.consumer_session import ConsumerSession, SessionOptions

if TYPE_CHECKING:
    from magnetar_runtime.scope import TaskScope

    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic_name import TopicName

log = logging.getLogger(__name__)

SessionKey = tuple[str, str, str]
"""Topic, subscription, name."""


class ConsumerSessions:
    """Ends those that nobody asks for long."""

    def __init__(self, service: BrokerService, scope: TaskScope) -> None:
        self._service = service
        self._scope = scope
        self._sessions: dict[SessionKey, ConsumerSession] = {}
        self._opening: dict[SessionKey, asyncio.Future[None]] = {}

    def find(self, key: SessionKey) -> ConsumerSession | None:
        """The session, if there is one of use."""
        session = self._sessions.get(key)
        return session if session is not None and session.receiver.failure is None else None

    async def open(
        self,
        key: SessionKey,
        topic: TopicName,
        remote_address: str,
        options: Callable[[], SessionOptions],
        *,
        anew: bool = False,
    ) -> ConsumerSession:
        """The session, made now if there is none.

        Args:
            anew: end the one there is: what its client did not ack comes again.

        Raises:
            BrokerError: the topic does not take the consumer, or there are too many.
        """
        while (opening := self._opening.get(key)) is not None:
            await asyncio.wait([opening])
        session = self.find(key)
        if session is not None and not anew:
            return session
        opened = self._opening[key] = self._service.loop.create_future()
        try:
            await self.end(key)
            return await self._open(key, topic, remote_address, options())
        finally:
            del self._opening[key]
            opened.set_result(None)

    async def _open(
        self, key: SessionKey, topic: TopicName, remote_address: str, options: SessionOptions
    ) -> ConsumerSession:
        most = self._service.config.web.max_consumers
        if len(self._sessions) + len(self._opening) > most:
            raise TooManyRequestsError(f"There are {most} consumers over HTTP, the maximum")
        session = ConsumerSession(self._service, remote_address, options)
        try:
            await session.open(topic)
        except BaseException:
            await session.close()
            raise
        self._sessions[key] = session
        return session

    async def end(self, key: SessionKey) -> bool:
        """End a session; False if there was none."""
        session = self._sessions.pop(key, None)
        if session is not None:
            await session.close()
        return session is not None

    async def tick(self) -> None:
        """End those that nobody asked for long, and those that are of no use any more."""
        idle_ns = self._service.config.web.consumer_idle_ms * 1_000_000
        now_ns = self._service.clock.monotonic_ns()
        for key, session in list(self._sessions.items()):
            idle = not session.polls and now_ns - session.used_ns >= idle_ns
            if (idle or session.receiver.failure is not None) and key in self._sessions:
                log.info("consumer %s of %s on %s ends", key[2], key[1], key[0])
                await self.end(key)

    async def close(self) -> None:
        """End all."""
        for key in list(self._sessions):
            await self.end(key)
