"""Calls for a topic that another broker serves are sent there: 307, as between Pulsar's brokers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from magnetar_broker.http.replies import Handler, flag
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_broker.ownership.topic_ownership import Whereabouts
    from magnetar_broker.service import BrokerService

_ANYWHERE: Final = (
    "partitions",
    "partitioned-stats",
    "partitioned-internalStats",
    "createMissedPartitions",
)
"""What any broker answers: it is in metadata, or of all partitions."""


def redirect_to(request: web.Request, where: Whereabouts) -> web.HTTPTemporaryRedirect:
    """The same call to another broker."""
    authoritative = "true" if where.authoritative else "false"
    path = request.rel_url.update_query(authoritative=authoritative)
    return web.HTTPTemporaryRedirect(f"{where.urls.web}{path}")


def owner_redirect(service: BrokerService) -> Middleware:
    """A middleware that lets only those calls through that are for topics served here."""

    @web.middleware
    async def send_to_owner(request: web.Request, handler: Handler) -> web.StreamResponse:
        name = _topic_of(request)
        if name is not None and not service.ownership.serves(name):
            await service.namespaces.check(name.namespace)
            if not await service.catalog.partitions(name):
                where = await service.ownership.look_up(
                    name, authoritative=flag(request, "authoritative"), listener=""
                )
                if not where.here:
                    raise redirect_to(request, where)
        return await handler(request)

    return send_to_owner


def _topic_of(request: web.Request) -> TopicName | None:
    """The topic that a call needs to be loaded; None if it needs none."""
    parts, resource = request.match_info, request.match_info.route.resource
    if "topic" not in parts or resource is None:
        return None
    if resource.canonical.rpartition("/")[2] in _ANYWHERE:
        return None
    return TopicName.parse(
        f"{parts['domain']}://{parts['tenant']}/{parts['namespace']}/{parts['topic']}"
    )
