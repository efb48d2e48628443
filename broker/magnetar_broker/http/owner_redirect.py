"""Calls for a topic that another broker serves are sent there: 307, as between Pulsar's brokers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from magnetar_broker.http.names import topic_of
from magnetar_broker.http.replies import flag

if TYPE_CHECKING:
    from magnetar_broker.ownership.topic_ownership import Whereabouts
    from magnetar_broker.service import BrokerService


def redirect_to(request: web.Request, where: Whereabouts) -> web.HTTPTemporaryRedirect:
    """The same call to another broker."""
    authoritative = "true" if where.authoritative else "false"
    path = request.rel_url.update_query(authoritative=authoritative)
    return web.HTTPTemporaryRedirect(f"{where.urls.web}{path}")


async def send_to_owner(service: BrokerService, request: web.Request) -> None:
    """Return if a call is for a topic served here, or for a partitioned one; else raise the way.

    Raises:
        web.HTTPTemporaryRedirect: another broker serves the topic.
        BrokerError: there is no such namespace, or no owner now.
    """
    name = topic_of(request)
    if service.ownership.serves(name):
        return
    await service.namespaces.check(name.namespace)
    if await service.catalog.partitions(name):
        return
    where = await service.ownership.look_up(
        name, authoritative=flag(request, "authoritative"), listener=""
    )
    if not where.here:
        raise redirect_to(request, where)
