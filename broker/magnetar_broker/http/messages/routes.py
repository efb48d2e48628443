"""Messages by plain HTTP: the paths of producing and of consuming."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import orjson
from aiohttp import web
from magnetar_runtime.scope import TaskScope, periodically

from magnetar_broker.http.messages import parameters
from magnetar_broker.http.messages.bodies import ProduceRequest, read_request
from magnetar_broker.http.messages.consumer_session import ConsumerSession, SessionOptions
from magnetar_broker.http.messages.events import Event, stream_events
from magnetar_broker.http.messages.producing import HttpProducers
from magnetar_broker.http.messages.received import (
    raw_headers,
    read_ids,
    read_position,
    text_object,
)
from magnetar_broker.http.messages.sessions import ConsumerSessions, SessionKey
from magnetar_broker.http.names import topic_of
from magnetar_broker.http.owner_redirect import redirect_to
from magnetar_broker.http.replies import done, flag
from magnetar_broker.http.route_table import Parameter, Permission, Routes, route
from magnetar_broker.http.shapes import (
    FLAG,
    LONG,
    OBJECT,
    PROPERTIES,
    TEXT,
    flag_of,
    list_of,
    record,
)
from magnetar_broker.http.websocket.parameters import number, reader_options
from magnetar_broker.inner_client.message_ids import id_text
from magnetar_broker.inner_client.opened import Message
from magnetar_broker.inner_client.outgoing import Outgoing, delivery_time_ms
from magnetar_broker.inner_client.receiver import ReceiveOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from magnetar_broker.service import BrokerService

_TOPIC: Final = "/{domain:persistent|non-persistent}/{tenant}/{namespace}/{topic}"
_CONSUMER: Final = f"{_TOPIC}/subscriptions/{{subscription}}/consumers/{{name}}"
_CONSUMES: Final[dict[str, Any]] = {
    "permission": Permission.CONSUME,
    "any_broker": True,  # it goes to the owner of the topic by itself, a partitioned one too
    "ours": True,
}
_PRODUCE_QUERY: Final = (
    flag_of("batchingEnabled", "messages of the request share entries"),
    Parameter("key", "of a body that is no JSON"),
    Parameter("property", "name=value; may be repeated"),
    Parameter("eventTime", "in ms", LONG),
    Parameter("deliverAfterMs", "deliver it so much later", LONG),
)
_PRODUCED: Final = record(
    {"messages": list_of(record({"payload": TEXT}, key=TEXT, properties=PROPERTIES))},
    producerName=TEXT,
)
_RESULTS: Final = record({"messagePublishResults": list_of(OBJECT), "schemaVersion": LONG})
_CONSUMER_QUERY: Final = (
    Parameter("subscriptionType", "Shared if not given"),
    Parameter("subscriptionInitialPosition", "Latest or Earliest"),
    Parameter("ackTimeoutMillis", "what is not acknowledged by then comes again", LONG),
)
_RECEIVE_QUERY: Final = (
    Parameter("maxMessages", "at most so many", LONG),
    Parameter("waitMillis", "wait so long for the first", LONG),
    Parameter("maxBytes", "full after so many bytes", LONG),
    Parameter("payload", "base64: never as text"),
)
_IDS: Final = list_of(TEXT)
_EVENTS: Final = "text/event-stream"
_RAW: Final = "application/octet-stream"
_TICK_MS: Final = 5_000


class MessageRoutes(Routes):
    """Paths are below `/topics`."""

    base: ClassVar[str] = "/topics"
    title: ClassVar[str] = "Messages"

    def __init__(self, service: BrokerService) -> None:
        super().__init__(service)
        self._scope = TaskScope()
        self._producers = HttpProducers(service, self._scope)
        self._sessions = ConsumerSessions(service, self._scope)

    async def start(self, _application: web.Application) -> None:
        """Begin to look for what nobody uses."""
        periodically(self._scope, _TICK_MS, self._tick, "idle HTTP clients")

    async def _tick(self) -> None:
        self._producers.tick()
        await self._sessions.tick()

    async def stop(self, _application: web.Application) -> None:
        """End all: what was not acked comes again."""
        self._producers.close()
        await self._sessions.close()
        await self._scope.close()

    # Producing.

    @route(
        "POST",
        _TOPIC,
        "Produce messages; a body that is no JSON is one message",
        query=_PRODUCE_QUERY,
        body=_PRODUCED,
        answer=_RESULTS,
        permission=Permission.PRODUCE,
        any_broker=True,
        differs="makes the topic if clients may; any broker takes it; 400 for a wrong body",
    )
    @route(
        "POST",
        f"{_TOPIC}/partitions/{{partition:[0-9]{{1,9}}}}",
        "Produce messages to a partition",
        query=_PRODUCE_QUERY,
        body=_PRODUCED,
        answer=_RESULTS,
        permission=Permission.PRODUCE,
        any_broker=True,
    )
    async def produce(self, request: web.Request) -> web.Response:
        """Pulsar's REST produce; a body that is no JSON is one message."""
        topic = topic_of(request)
        if "partition" in request.match_info:
            topic = topic.partition(int(request.match_info["partition"]))
        body, now_ms = await request.read(), self._service.clock.wall_ms()
        if "json" in request.content_type:
            asked = read_request(body, now_ms, batched=flag(request, "batchingEnabled"))
        else:
            asked = ProduceRequest([_raw_message(request, body, now_ms)])
        results = await self._producers.produce(topic, asked)
        return _json({"messagePublishResults": results, "schemaVersion": 0})

    # Consuming.

    @route(
        "PUT",
        _CONSUMER,
        "Begin a consumer anew: what was not acknowledged comes again",
        query=_CONSUMER_QUERY,
        answer=OBJECT,
        **_CONSUMES,
    )
    async def open_consumer(self, request: web.Request) -> web.Response:
        """Begin anew: what a former one of this name got and did not ack comes again."""
        session = await self._open(request, anew=True)
        return _json(_described(request, session), status=201)

    @route("GET", _CONSUMER, "Describe a consumer", answer=OBJECT, **_CONSUMES)
    async def describe_consumer(self, request: web.Request) -> web.Response:
        return _json(_described(request, await self._session(request)))

    @route(
        "DELETE",
        _CONSUMER,
        "End a consumer",
        query=(flag_of("unsubscribe", "end its subscription too"),),
        **_CONSUMES,
    )
    async def end_consumer(self, request: web.Request) -> web.Response:
        """With `unsubscribe=true` the subscription goes too."""
        session = await self._session(request)
        if flag(request, "unsubscribe"):
            await session.receiver.unsubscribe()
        await self._sessions.end(_key_of(request))
        return done()

    @route(
        "GET",
        f"{_CONSUMER}/messages",
        "Receive messages; opens the consumer",
        query=(*_RECEIVE_QUERY, *_CONSUMER_QUERY),
        answer=record({"messages": list_of(OBJECT), "endOfTopic": FLAG}),
        acts=True,
        **_CONSUMES,
    )
    async def receive(self, request: web.Request) -> web.Response:
        """Messages that are there, or that come first within `waitMillis`; opens the consumer."""
        query = request.query
        wait_s = parameters.wait_s(query)
        raw = request.headers.get("Accept", "") == _RAW
        most = 1 if raw else parameters.most_messages(query)
        most_bytes = parameters.most_bytes(query)
        session = await self._open(request)
        messages = await session.receive(
            most, most_bytes, wait_s, wanted=lambda: _is_there(request)
        )
        if raw:
            return _raw_answer(messages)
        base64 = query.get("payload") == "base64"
        found = [text_object(each, base64=base64) for each in messages]
        return _json({"messages": found, "endOfTopic": session.receiver.end_of_topic})

    @route(
        "POST",
        f"{_CONSUMER}/acks",
        "Acknowledge messages",
        body=_IDS,
        answer=record({"acknowledged": LONG}),
        **_CONSUMES,
    )
    async def ack(self, request: web.Request) -> web.Response:
        session = await self._session(request)
        return _json({"acknowledged": session.ack(read_ids(await request.read()))})

    @route(
        "POST",
        f"{_CONSUMER}/nacks",
        "Have messages come again",
        query=(Parameter("delayMillis", "after so long", LONG),),
        body=_IDS,
        answer=record({"redelivered": LONG}),
        **_CONSUMES,
    )
    async def nack(self, request: web.Request) -> web.Response:
        """They come again after `delayMillis`; at once if it is not given."""
        session = await self._session(request)
        delay_ms = number(request.query, "delayMillis", 0)
        return _json({"redelivered": session.nack(read_ids(await request.read()), delay_ms)})

    @route(
        "POST",
        f"{_CONSUMER}/seek",
        "Go on at another place",
        body=record({}, position=TEXT, messageId=TEXT, timestamp=LONG),
        **_CONSUMES,
    )
    async def seek(self, request: web.Request) -> web.Response:
        session = await self._session(request)
        await session.seek(read_position(await request.read()))
        return done()

    @route(
        "GET",
        f"{_CONSUMER}/events",
        "Receive messages as Server-Sent Events; opens the consumer",
        query=(flag_of("autoAck", "acknowledge what was written"), *_CONSUMER_QUERY),
        answer=TEXT,
        media_type="text/event-stream",
        acts=True,
        **_CONSUMES,
    )
    async def consume_events(self, request: web.Request) -> web.StreamResponse:
        """With `autoAck=true` what was written is acked."""
        _check_wants_events(request)
        session = await self._open(request)
        auto_ack = flag(request, "autoAck")
        return await self._stream(request, session, auto_ack=auto_ack)

    @route(
        "GET",
        f"{_TOPIC}/events",
        "Read messages as Server-Sent Events, without a subscription",
        query=(Parameter("messageId", "earliest, latest, or behind this one"),),
        answer=TEXT,
        media_type="text/event-stream",
        acts=True,
        **_CONSUMES,
    )
    async def read_events(self, request: web.Request) -> web.StreamResponse:
        """From `messageId` on, or behind the event that came last."""
        _check_wants_events(request)
        await self._pin(request)
        query = dict(request.query)
        last = request.headers.get("Last-Event-ID")
        if last:
            query["messageId"] = last
        options = reader_options(query, f"events-{self._service.new_producer_name()}")
        session = ConsumerSession(
            self._service,
            _address_of(request),
            SessionOptions(options, ReceiveOptions()),
        )
        try:
            await session.open(topic_of(request))
            return await self._stream(request, session, auto_ack=True)
        finally:
            await session.close()

    async def _stream(
        self, request: web.Request, session: ConsumerSession, *, auto_ack: bool
    ) -> web.StreamResponse:
        base64 = request.query.get("payload") == "base64"
        most_bytes = parameters.most_bytes(request.query)
        got: list[Message] = []

        async def receive(most: int, wait_s: float) -> Sequence[Event] | None:
            nonlocal got
            got = await session.receive(most, most_bytes, wait_s, wanted=lambda: _is_there(request))
            if not got and session.receiver.end_of_topic:
                return None
            return [(id_text(each.id), text_object(each, base64=base64)) for each in got]

        def told() -> None:
            nonlocal got
            if auto_ack:
                session.ack([each.id for each in got])
            got = []

        try:
            return await stream_events(request, receive, told)
        finally:
            session.nack([each.id for each in got], 0)  # nobody read them

    # Sessions.

    async def _open(self, request: web.Request, *, anew: bool = False) -> ConsumerSession:
        await self._pin(request)
        key, query = _key_of(request), request.query
        # What cannot be is refused also where the session is there already.
        options = parameters.session_options(query, *key)
        return await self._sessions.open(
            key, topic_of(request), _address_of(request), lambda: options, anew=anew
        )

    async def _session(self, request: web.Request) -> ConsumerSession:
        await self._pin(request)
        session = self._sessions.find(_key_of(request))
        if session is None:
            reason = "There is no such consumer; ask for its messages, or PUT it, to open it"
            raise web.HTTPNotFound(reason=reason)
        return session

    async def _pin(self, request: web.Request) -> None:
        """A session is on the broker that owns its topic, so that all its requests find it."""
        ownership, topic = self._service.ownership, topic_of(request)
        if ownership.serves(topic):
            return
        await self._service.namespaces.check(topic.namespace)
        authoritative = flag(request, "authoritative")
        where = await ownership.look_up(topic, authoritative=authoritative, listener="")
        if not where.here:
            raise redirect_to(request, where)


def _check_wants_events(request: web.Request) -> None:
    """Browsers say what they want; nobody else is to get an answer without an end by mistake."""
    if _EVENTS not in request.headers.get("Accept", ""):
        raise web.HTTPNotAcceptable(reason=f"Ask for events with the header Accept: {_EVENTS}")


def _json(value: Any, status: int = 200) -> web.Response:
    body = orjson.dumps(value)
    return web.Response(body=body, status=status, content_type="application/json")


def _raw_message(request: web.Request, body: bytes, now_ms: int) -> Outgoing:
    query = request.query
    pairs = [each.partition("=") for each in query.getall("property", [])]
    return Outgoing(
        body,
        key=query.get("key"),
        properties={name: value for name, _, value in pairs},
        event_time_ms=number(query, "eventTime", 0),
        deliver_at_ms=delivery_time_ms(now_ms, after_ms=number(query, "deliverAfterMs", 0)),
    )


def _raw_answer(messages: Sequence[Message]) -> web.Response:
    if not messages:
        return done()
    message = messages[0]
    return web.Response(body=message.body, content_type=_RAW, headers=raw_headers(message))


def _is_there(request: web.Request) -> bool:
    """Whether somebody will read the answer."""
    return request.transport is not None and not request.transport.is_closing()


def _described(request: web.Request, session: ConsumerSession) -> dict[str, Any]:
    topic, subscription, name = _key_of(request)
    return {
        "topic": topic,
        "subscription": subscription,
        "consumer": name,
        "topics": session.topics,
        "waiting": session.receiver.waiting,
        "endOfTopic": session.receiver.end_of_topic,
    }


def _key_of(request: web.Request) -> SessionKey:
    parts = request.match_info
    return str(topic_of(request)), parts["subscription"], parts["name"]


def _address_of(request: web.Request) -> str:
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return f"{peer[0]}:{peer[1]}" if peer else ""
