"""Subscriptions of topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiohttp import web
from magnetar_ledger.position import EARLIEST, LATEST, Position

from magnetar_broker.cursor_reset import Place
from magnetar_broker.errors import NotAllowedError
from magnetar_broker.http.names import topic_of
from magnetar_broker.http.replies import done, flag, json_body
from magnetar_broker.http.route_table import Permission, Routes, route
from magnetar_broker.http.shapes import AUTHORITATIVE, FORCE, POSITION, TEXTS
from magnetar_broker.http.topic_routes import TOPIC
from magnetar_broker.subscribe import check_subscription_name

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService

SUBSCRIPTION: Final = f"{TOPIC}/subscription/{{subscription}}"


class SubscriptionRoutes(Routes):
    """Paths are below `/admin/v2`."""

    title: ClassVar[str] = "Subscriptions"

    def __init__(self, service: BrokerService) -> None:
        self._admin = service.admin

    @route(
        "GET",
        f"{TOPIC}/subscriptions",
        "The names of the subscriptions",
        answer=TEXTS,
        permission=Permission.LOOKUP,
    )
    async def names(self, request: web.Request) -> web.Response:
        return web.json_response(await self._admin.subscriptions(topic_of(request)))

    @route(
        "PUT",
        SUBSCRIPTION,
        "Make a subscription",
        body=POSITION,
        query=(AUTHORITATIVE,),
        permission=Permission.CONSUME,
    )
    async def create(self, request: web.Request) -> web.Response:
        """The body is where it begins: "latest" (also if there is none), "earliest", or an id."""
        name, subscription = topic_of(request), request.match_info["subscription"]
        check_subscription_name(subscription)
        if not name.persistent:
            raise NotAllowedError(f"Subscriptions of {name} begin and end with their consumers")
        body = await json_body(request)
        start = LATEST if body in (None, "") else place_in(body).position
        await self._admin.create_subscription(
            name,
            subscription,
            earliest=start == EARLIEST,
            start=None if start in (EARLIEST, LATEST) else start,
        )
        return done()

    @route(
        "DELETE",
        SUBSCRIPTION,
        "Delete a subscription",
        query=(FORCE, AUTHORITATIVE),
        permission=Permission.CONSUME,
    )
    async def delete(self, request: web.Request) -> web.Response:
        name, subscription = topic_of(request), request.match_info["subscription"]
        await self._admin.delete_subscription(name, subscription, force=flag(request, "force"))
        return done()

    @route(
        "POST",
        f"{SUBSCRIPTION}/resetcursor",
        "Go on at a message",
        body=POSITION,
        permission=Permission.CONSUME,
    )
    async def reset_to_place(self, request: web.Request) -> web.Response:
        """The body is a message id, "earliest" or "latest"."""
        place = place_in(await json_body(request))
        subscription = request.match_info["subscription"]
        await self._admin.reset_to_place(topic_of(request), subscription, place)
        return done()

    @route(
        "POST",
        f"{SUBSCRIPTION}/resetcursor/{{time_ms:-?\\d{{1,19}}}}",
        "Go on with the first message of a time or later",
        permission=Permission.CONSUME,
    )
    async def reset_to_time(self, request: web.Request) -> web.Response:
        time_ms = int(request.match_info["time_ms"])
        subscription = request.match_info["subscription"]
        await self._admin.reset_to_time(topic_of(request), subscription, time_ms)
        return done()


_NAMED_PLACES: Final = {"latest": Place(LATEST), "earliest": Place(EARLIEST)}


def place_in(body: Any) -> Place:
    """The message that is named: by its id, or as the first or the one after the last.

    Raises:
        web.HTTPBadRequest: the body names none.
    """
    try:
        if isinstance(body, str):
            return _NAMED_PLACES[body]
        return Place(
            Position(_long(body["ledgerId"]), _long(body["entryId"])),
            _long(body.get("batchIndex", -1)),
            excluded=body.get("excluded") is True,
        )
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        raise web.HTTPBadRequest(
            reason='The body is "latest", "earliest" or a message id'
        ) from error


def _long(value: Any) -> int:
    number = int(value)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"{number} is no 64-bit number")
    return number
