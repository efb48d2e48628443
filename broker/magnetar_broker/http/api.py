"""All routes of the broker's HTTP side, and what stands before each of their handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from aiohttp import web
from magnetar_runtime.http import acts

from magnetar_broker.http.admin_routes import AdminRoutes
from magnetar_broker.http.backlog_routes import BacklogRoutes
from magnetar_broker.http.broker_routes import BrokerRoutes
from magnetar_broker.http.bundle_routes import BundleRoutes
from magnetar_broker.http.document_routes import DocumentRoutes
from magnetar_broker.http.lookup_routes import LookupRoutes
from magnetar_broker.http.message_routes import MessageLookRoutes
from magnetar_broker.http.messages.routes import MessageRoutes
from magnetar_broker.http.namespace_policy_routes import NamespacePolicyRoutes
from magnetar_broker.http.namespace_routes import NamespaceRoutes
from magnetar_broker.http.owner_redirect import send_to_owner
from magnetar_broker.http.partition_calls import PartitionCalls
from magnetar_broker.http.permission_routes import PermissionRoutes
from magnetar_broker.http.replies import check_parts, errors_as_json
from magnetar_broker.http.route_table import Routes, Row, in_order
from magnetar_broker.http.stats_routes import StatsRoutes
from magnetar_broker.http.status_routes import StatusRoutes
from magnetar_broker.http.subscription_routes import SubscriptionRoutes
from magnetar_broker.http.tenancy_routes import TenancyRoutes
from magnetar_broker.http.topic_policy_routes import TopicPolicyRoutes
from magnetar_broker.http.topic_record_routes import TopicRecordRoutes
from magnetar_broker.http.topic_routes import TopicRoutes
from magnetar_broker.http.websocket.routes import WebSocketRoutes

if TYPE_CHECKING:
    from magnetar_broker.http.replies import Handler
    from magnetar_broker.service import BrokerService

GROUPS: Final[tuple[type[Routes], ...]] = (
    AdminRoutes,
    BrokerRoutes,
    TenancyRoutes,
    NamespaceRoutes,
    PermissionRoutes,
    BundleRoutes,
    TopicRoutes,
    SubscriptionRoutes,
    MessageLookRoutes,
    BacklogRoutes,
    TopicRecordRoutes,
    StatsRoutes,
    NamespacePolicyRoutes,
    TopicPolicyRoutes,
    LookupRoutes,
    MessageRoutes,
    WebSocketRoutes,
    StatusRoutes,
    DocumentRoutes,
)
"""Every group of calls; a new one is named here and nowhere else."""

Authorise = Callable[[web.Request, Row], Awaitable[None]]
"""Raises NotAuthorizedError if the caller may not do what the row says."""


@cache
def route_table() -> Sequence[Row]:
    """All calls, in the order in which a server looks for them."""
    return in_order([row for group in GROUPS for row in group.table()])


async def anybody(request: web.Request, row: Row) -> None:
    """Lets everybody do everything: who may ask at all is the listener's business."""


def add_routes(
    application: web.Application, service: BrokerService, authorise: Authorise = anybody
) -> None:
    """Serve all calls of a broker; call it before the server starts."""
    if service.cluster is not None:
        service.admin.elsewhere = PartitionCalls(lambda: service.config.web_url)
    application.middlewares.append(errors_as_json)
    rows: list[tuple[Row, Routes]] = []
    for group in GROUPS:
        made = group(service)
        rows += [(row, made) for row in group.table()]
    owners = {row.key: made for row, made in rows}
    for row in route_table():
        handler = _handler_of(row, owners[row.key], service, authorise)
        application.router.add_route(row.method, row.path, handler)
    for made in set(owners.values()):
        if isinstance(made, MessageRoutes):
            application.on_startup.append(made.start)
            application.on_cleanup.append(made.stop)
        if isinstance(made, WebSocketRoutes):
            application.router.add_get("/ws/{rest:.*}", made.no_topic)
            application.on_shutdown.append(made.close_all)


def _handler_of(row: Row, group: Routes, service: BrokerService, authorise: Authorise) -> Handler:
    """What answers: authorised first, then sent to the owner where it must be, then handled."""
    elsewhere = service.cluster is not None and row.at_owner

    async def answer(request: web.Request) -> web.StreamResponse:
        check_parts(request)
        await authorise(request, row)
        if elsewhere:
            await send_to_owner(service, request)
        return await row.handler(group, request)

    return acts(answer) if row.acts else answer
