"""All routes of the broker's HTTP side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Middleware

from magnetar_broker.http.admin_routes import AdminRoutes
from magnetar_broker.http.bundle_routes import BundleRoutes
from magnetar_broker.http.lookup_routes import LookupRoutes
from magnetar_broker.http.owner_redirect import owner_redirect
from magnetar_broker.http.partition_calls import PartitionCalls
from magnetar_broker.http.replies import errors_as_json
from magnetar_broker.http.stats_routes import StatsRoutes
from magnetar_broker.http.subscription_routes import SubscriptionRoutes
from magnetar_broker.http.topic_routes import TopicRoutes

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService


def add_routes(application: web.Application, service: BrokerService) -> None:
    """Serve the admin API and lookups of a broker; call it before the server starts."""
    middlewares: list[Middleware] = [errors_as_json]
    if service.cluster is not None:
        middlewares.append(owner_redirect(service))
        service.admin.elsewhere = PartitionCalls(lambda: service.config.web_url)
    admin = web.Application(middlewares=middlewares)
    admin.add_routes(AdminRoutes(service).routes())
    admin.add_routes(BundleRoutes(service).routes())
    admin.add_routes(TopicRoutes(service).routes())
    admin.add_routes(SubscriptionRoutes(service).routes())
    admin.add_routes(StatsRoutes(service).routes())
    application.add_subapp("/admin/v2", admin)
    lookup = web.Application(middlewares=[errors_as_json])
    lookup.add_routes(LookupRoutes(service).routes())
    application.add_subapp("/lookup/v2", lookup)
