"""Subscriptions of topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web
from magnetar_ledger.position import Position

from magnetar_broker.errors import NotAllowedError
from magnetar_broker.http.replies import done, flag, json_body
from magnetar_broker.http.topic_routes import TOPIC, topic_of
from magnetar_broker.subscribe import check_subscription_name

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService

_SUBSCRIPTION = f"{TOPIC}/subscription/{{subscription}}"


class SubscriptionRoutes:
    """Paths are below `/admin/v2`."""

    def __init__(self, service: BrokerService) -> None:
        self._admin = service.admin

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{TOPIC}/subscriptions", self.names),
            web.put(_SUBSCRIPTION, self.create),
            web.delete(_SUBSCRIPTION, self.delete),
        ]

    async def names(self, request: web.Request) -> web.Response:
        return web.json_response(await self._admin.subscriptions(topic_of(request)))

    async def create(self, request: web.Request) -> web.Response:
        """The body is where it begins: "latest" (also if there is none), "earliest", or an id."""
        name, subscription = topic_of(request), request.match_info["subscription"]
        check_subscription_name(subscription)
        if not name.persistent:
            raise NotAllowedError(f"Subscriptions of {name} begin and end with their consumers")
        body = await json_body(request)
        await self._admin.create_subscription(
            name, subscription, earliest=body == "earliest", start=_position_in(body)
        )
        return done()

    async def delete(self, request: web.Request) -> web.Response:
        name, subscription = topic_of(request), request.match_info["subscription"]
        await self._admin.delete_subscription(name, subscription, force=flag(request, "force"))
        return done()


def _position_in(body: Any) -> Position | None:
    """The place that a message id names; None if the body is none."""
    if body in (None, "", "latest", "earliest"):
        return None
    try:
        ledger_id, entry_id = int(body["ledgerId"]), int(body["entryId"])
    except (TypeError, KeyError, ValueError) as error:
        raise web.HTTPBadRequest(
            reason='The body is "latest", "earliest" or a message id'
        ) from error
    if (ledger_id, entry_id) == (2**63 - 1, 2**63 - 1):
        return None
    excluded = body.get("isExcluded") is True
    return Position(ledger_id, entry_id + excluded)
