"""The paths of the WebSocket API, and refusals before the upgrade."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiohttp import web

from magnetar_broker.errors import (
    OUTSIDE_ERRORS,
    BrokerError,
    ErrorCode,
    InvalidTopicNameError,
    as_broker_error,
)
from magnetar_broker.http.names import topic_of
from magnetar_broker.http.replies import refusal
from magnetar_broker.http.route_table import Permission, Routes, route
from magnetar_broker.http.websocket import parameters
from magnetar_broker.http.websocket.consumer_socket import ConsumerSocket, ReaderSocket
from magnetar_broker.http.websocket.parameters import ParameterError
from magnetar_broker.http.websocket.producer_socket import ProducerSocket
from magnetar_broker.http.websocket.socket import GOING_AWAY, SocketSession
from magnetar_broker.patterns.topic_pattern import TopicPattern
from magnetar_broker.topic_name import NamespaceName, TopicName

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService

log = logging.getLogger(__name__)

_TOPIC: Final = "/{domain:persistent|non-persistent}/{tenant}/{namespace}/{topic}"
_PRODUCE: Final[dict[str, Any]] = {"permission": Permission.PRODUCE, "any_broker": True}
_CONSUME: Final[dict[str, Any]] = {"permission": Permission.CONSUME, "any_broker": True}
_NAMESPACE_IN_PATTERN: Final = re.compile(r"(?:persistent://)?([-=:.\w]+/[-=:.\w]+)/", re.ASCII)
_MOST_TOPICS: Final = 1000
_STATUS: Final[dict[int, int]] = {
    ErrorCode.AUTHENTICATION: 401,
    ErrorCode.AUTHORIZATION: 403,
    ErrorCode.TOPIC_NOT_FOUND: 404,
    ErrorCode.SUBSCRIPTION_NOT_FOUND: 404,
    ErrorCode.PRODUCER_BUSY: 409,
    ErrorCode.PRODUCER_FENCED: 409,
    ErrorCode.CONSUMER_BUSY: 409,
    ErrorCode.CONSUMER_ASSIGN: 409,
    ErrorCode.INCOMPATIBLE_SCHEMA: 409,
    ErrorCode.TOO_MANY_REQUESTS: 429,
    ErrorCode.TOPIC_TERMINATED: 503,
    ErrorCode.SERVICE_NOT_READY: 503,
    ErrorCode.NOT_ALLOWED: 403,
    ErrorCode.INVALID_TOPIC_NAME: 400,
}


class WebSocketRoutes(Routes):
    """Paths are below `/ws`."""

    base: ClassVar[str] = "/ws"
    title: ClassVar[str] = "WebSockets"

    def __init__(self, service: BrokerService) -> None:
        super().__init__(service)
        self._limits = service.config.web
        self._sessions: dict[SocketSession, None] = {}

    @route(
        "GET",
        f"/v2/producer{_TOPIC}",
        "Produce by a WebSocket",
        permission=Permission.PRODUCE,
        any_broker=True,
    )
    async def producer(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(
            request, lambda: ProducerSocket(self._service, request, topic_of(request))
        )

    @route(
        "GET",
        f"/v2/consumer{_TOPIC}/{{subscription}}",
        "Consume by a WebSocket",
        permission=Permission.CONSUME,
        any_broker=True,
    )
    async def consumer(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, lambda: self._consumer(request, [topic_of(request)]))

    @route(
        "GET",
        f"/v2/reader{_TOPIC}",
        "Read by a WebSocket",
        permission=Permission.CONSUME,
        any_broker=True,
    )
    async def reader(self, request: web.Request) -> web.StreamResponse:
        def make() -> ReaderSocket:
            name = f"reader-{self._service.new_producer_name()}"
            query = request.query
            options = parameters.reader_options(query, name)
            receive = parameters.receive_options({**query, "ackTimeoutMillis": "0"}, "", name)
            return ReaderSocket(self._service, request, [topic_of(request)], options, receive)

        return await self._serve(request, make)

    @route(
        "GET",
        "/v3/consumer/{subscription}",
        "Consume from several topics by a WebSocket",
        permission=Permission.CONSUME,
        any_broker=True,
    )
    async def consumer_of_topics(self, request: web.Request) -> web.StreamResponse:
        try:
            topics = await self._topics_of(request)
        except (ParameterError, BrokerError) as error:
            return _refused(error)
        return await self._serve(request, lambda: self._consumer(request, topics))

    async def no_topic(self, request: web.Request) -> web.StreamResponse:
        """What looks like one of the others and names no topic or no subscription."""
        return refusal(400, "The path has to be /ws/v2/producer/persistent/tenant/namespace/topic")

    def _consumer(self, request: web.Request, topics: list[TopicName]) -> ConsumerSocket:
        subscription, query = request.match_info["subscription"], request.query
        return ConsumerSocket(
            self._service,
            request,
            topics,
            parameters.consumer_options(query, subscription),
            parameters.receive_options(query, str(topics[0]), subscription),
            pull=parameters.flag(query, "pullMode"),
        )

    async def _topics_of(self, request: web.Request) -> list[TopicName]:
        names, pattern = request.query.get("topics"), request.query.get("topicsPattern")
        if (names is None) == (pattern is None):
            raise ParameterError("Give either topics or topicsPattern")
        if names is not None:
            topics = [TopicName.parse(name) for name in names.split(",")]
        else:
            topics = await self._matching(pattern or "")
        if not 0 < len(topics) <= _MOST_TOPICS:
            raise ParameterError(f"{len(topics)} topics; there have to be 1 to {_MOST_TOPICS}")
        return topics

    async def _matching(self, pattern: str) -> list[TopicName]:
        """The topics there are now; those that are made later are not followed."""
        place = _NAMESPACE_IN_PATTERN.match(pattern)
        if place is None:
            raise ParameterError("topicsPattern has to begin with persistent://tenant/namespace/")
        matches = TopicPattern(pattern).matches
        found = await self._service.catalog.topics(NamespaceName.parse(place[1]))
        return [topic for topic in found if matches(topic)]

    async def _serve(
        self, request: web.Request, make: Callable[[], SocketSession]
    ) -> web.StreamResponse:
        if not self._limits.websockets:
            return refusal(404, "WebSockets are switched off (webSocketServiceEnabled)")
        if not _is_upgrade(request):
            return refusal(405, "This is a WebSocket; ask for an upgrade")
        most = self._limits.max_sockets
        if most and len(self._sessions) >= most:
            return refusal(429, f"The broker has {most} WebSockets, its maximum")
        try:
            session = make()
        except (ParameterError, BrokerError) as error:
            return _refused(error)
        self._sessions[session] = None
        try:
            try:
                await session.open()
            except OUTSIDE_ERRORS as error:
                return _refused(as_broker_error(error))
            return await session.serve(
                idle_ms=self._limits.idle_timeout_ms,
                ping_s=self._limits.ping_interval_s,
                max_frame_bytes=self._limits.max_frame_bytes,
            )
        finally:
            del self._sessions[session]
            await session.discard()  # also where the upgrade failed, or the peer gave up before it

    async def close_all(self, _application: web.Application) -> None:
        """The server stops: sockets are told to come again."""
        for session in list(self._sessions):
            await session.close(GOING_AWAY, "The broker stops")


def _is_upgrade(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _refused(error: ParameterError | BrokerError) -> web.Response:
    if isinstance(error, BrokerError) and not isinstance(error, InvalidTopicNameError):
        return refusal(_STATUS.get(error.code, 500), str(error))
    return refusal(400, str(error))
