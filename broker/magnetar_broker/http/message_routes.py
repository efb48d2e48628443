"""Messages of topics as administrators look at them, and ids of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiohttp import web
from magnetar_ledger.position import LATEST, Position
from magnetar_proto.errors import PayloadError
from magnetar_proto.payloads import parse_metadata

from magnetar_broker.backlog_admin import check_persistent, subscription_of
from magnetar_broker.errors import AbsentError, MalformedRequestError
from magnetar_broker.http.message_head import entry_answer
from magnetar_broker.http.names import topic_of
from magnetar_broker.http.partition_fan import PartitionFan
from magnetar_broker.http.replies import json_body
from magnetar_broker.http.route_table import Parameter, Permission, Routes, route
from magnetar_broker.http.shapes import LONG, MESSAGE_ID, OBJECT, TEXT
from magnetar_broker.http.subscription_routes import SUBSCRIPTION, place_in
from magnetar_broker.http.topic_routes import TOPIC, message_id
from magnetar_broker.seek import first_published_since
from magnetar_broker.topic_reading import (
    Backlog,
    analyzed,
    bytes_behind,
    cursor_of,
    entry_at,
    examined,
    log_of,
    nth_unacked,
)

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService

_NUMBER: Final = r"\d{1,19}"
_CONSUME: Final = Permission.CONSUME
_ON_PARTITIONED: Final = "{} on a partitioned topic is not allowed{}"
_PLEASE: Final = ", please try {} on specific topic partition"


class MessageLookRoutes(Routes):
    """Paths are below `/admin/v2`."""

    title: ClassVar[str] = "Messages"

    def __init__(self, service: BrokerService) -> None:
        self._admin = service.admin
        self._fan = PartitionFan(service)

    @route(
        "GET",
        f"{SUBSCRIPTION}/position/{{number:-?{_NUMBER}}}",
        "Peek: an entry by its place in what a subscription has left, from 1; its head in headers",
        answer=TEXT,
        permission=_CONSUME,
        differs="makes no subscription: 404 if there is none; a place below 1 is 404",
    )
    async def peek(self, request: web.Request) -> web.Response:
        name, number = topic_of(request), int(request.match_info["number"])
        topic = await self._fan.one(name, _ON_PARTITIONED.format("Peek messages", ""))
        subscription = subscription_of(topic, request.match_info["subscription"])
        ledger, cursor = log_of(topic), cursor_of(subscription)
        position = await nth_unacked(ledger, cursor, number) if number > 0 else None
        if position is None:
            raise AbsentError("Message not found")
        return entry_answer(position, await entry_at(ledger, position))

    @route(
        "GET",
        f"{TOPIC}/ledger/{{ledger:{_NUMBER}}}/entry/{{entry:{_NUMBER}}}",
        "An entry by its id; its head is in headers",
        answer=TEXT,
        permission=_CONSUME,
        differs="404 for every entry that is not there (Pulsar: 500 behind the end of a ledger)",
    )
    async def entry(self, request: web.Request) -> web.Response:
        parts = request.match_info
        refusal = _ON_PARTITIONED.format("Get message by ID", "")
        topic = await self._fan.one(topic_of(request), refusal)
        position = Position(int(parts["ledger"]), int(parts["entry"]))
        try:
            payload = await entry_at(log_of(topic), position)
        except AbsentError as error:
            raise AbsentError("Message id not found") from error
        return entry_answer(position, payload)

    @route(
        "GET",
        f"{TOPIC}/examinemessage",
        "An entry by its place in the topic, from 1; its head is in headers",
        answer=TEXT,
        query=(
            Parameter("initialPosition", "counted from: latest (if it is missing) or earliest"),
            Parameter("messagePosition", "1 if it is missing", LONG),
        ),
        permission=_CONSUME,
        differs="a place before the first means the first (Pulsar: 500)",
    )
    async def examine(self, request: web.Request) -> web.Response:
        hint = _PLEASE.format("examine message")
        topic = await self._fan.one(
            topic_of(request), _ON_PARTITIONED.format("Examine messages", hint)
        )
        latest = request.query.get("initialPosition") != "earliest"
        number = long_in(request.query.get("messagePosition", "1"))
        position, payload = await examined(log_of(topic), latest=latest, number=number)
        return entry_answer(position, payload)

    @route(
        "GET",
        f"{TOPIC}/messageid/{{time_ms:-?{_NUMBER}}}",
        "The first message that was published at this time or later, existing or to come",
        answer=MESSAGE_ID,
        permission=_CONSUME,
    )
    async def by_time(self, request: web.Request) -> web.Response:
        hint = _PLEASE.format("do it")
        refusal = _ON_PARTITIONED.format("Get message ID by timestamp", hint)
        ledger = log_of(await self._fan.one(topic_of(request), refusal))
        position = await first_published_since(ledger, int(request.match_info["time_ms"]))
        if position == LATEST:
            position = ledger.next_position(ledger.last_position)
        return web.json_response(message_id(position))

    @route(
        "GET",
        f"{TOPIC}/lastMessageId",
        "The id of the last message",
        answer=MESSAGE_ID,
        permission=Permission.LOOKUP,
    )
    async def last(self, request: web.Request) -> web.Response:
        name = topic_of(request)
        check_persistent(name.persistent, "GetLastMessageId")
        ledger = log_of(await self._admin.loaded(name))
        last = ledger.last_position
        answer = {**message_id(last), "partitionIndex": name.partition_index}
        if last.entry_id < 0:
            return web.json_response(answer)
        found, payloads = await ledger.read(last, 1, 1)
        if payloads and found == last:
            answer |= _last_of_batch(payloads[0])
        return web.json_response(answer)

    @route(
        "PUT",
        f"{TOPIC}/backlogSize",
        "About how many bytes lie behind a message",
        body=MESSAGE_ID,
        answer=LONG,
        permission=Permission.LOOKUP,
        differs="an estimate by entries; a body that is no message id is 400",
    )
    async def backlog_size(self, request: web.Request) -> web.Response:
        refusal = "calculate backlog size is not allowed for partitioned-topic"
        ledger = log_of(await self._fan.one(topic_of(request), refusal))
        body = await json_body(request)
        if not isinstance(body, dict):
            raise MalformedRequestError("The body is a message id")
        return web.json_response(bytes_behind(ledger, place_in(body).position))

    @route(
        "POST",
        f"{SUBSCRIPTION}/analyzeBacklog",
        "Read what a subscription has left, and count it",
        body=MESSAGE_ID,
        answer=OBJECT,
        permission=_CONSUME,
        differs="no subscription is made by it; at most 10,000 entries are read",
    )
    async def analyze(self, request: web.Request) -> web.Response:
        hint = _PLEASE.format("do it")
        refusal = _ON_PARTITIONED.format("Analyze backlog", hint)
        topic = await self._fan.one(topic_of(request), refusal)
        subscription = subscription_of(topic, request.match_info["subscription"])
        body = await json_body(request)
        start = place_in(body).position if isinstance(body, dict) else None
        backlog = await analyzed(log_of(topic), cursor_of(subscription), start)
        return web.json_response(_analysis(backlog))


def _last_of_batch(payload: bytes) -> dict[str, int]:
    try:
        metadata, _ = parse_metadata(payload)
    except PayloadError:
        return {}  # what a producer wrote may be anything; it still has an id
    if not metadata.HasField("num_messages_in_batch"):
        return {}
    index = metadata.num_messages_in_batch - 1
    return {"batchIndex": index, "outstandingAcksInSameBatch": 0, "originalBatchSize": 0}


def _analysis(backlog: Backlog) -> dict[str, Any]:
    answer = {
        "entries": backlog.entries,
        "messages": backlog.messages,
        "filterRejectedEntries": 0,
        "filterAcceptedEntries": backlog.entries,
        "filterRescheduledEntries": 0,
        "filterRejectedMessages": 0,
        "filterAcceptedMessages": backlog.messages,
        "filterRescheduledMessages": 0,
        "aborted": backlog.aborted,
    }
    ends = {"firstMessageId": backlog.first, "lastMessageId": backlog.last}
    named = {
        key: f"{place.ledger_id}:{place.entry_id}"
        for key, place in ends.items()
        if place is not None
    }
    return {**answer, **named}


def long_in(text: str) -> int:
    """A 64-bit number of a query. Raises MalformedRequestError."""
    try:
        number = int(text)
    except ValueError as error:
        raise MalformedRequestError(f"'{text[:30]}' is no number") from error
    if not -(1 << 63) <= number < 1 << 63:
        raise MalformedRequestError(f"{text[:30]} is no 64-bit number")
    return number
