"""Clusters and tenants: made, changed and forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from aiohttp import web

from magnetar_broker.http.replies import done, flag, json_body
from magnetar_broker.http.route_table import Routes, route
from magnetar_broker.http.shapes import FORCE, TEXT, TEXTS, record

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService

_CLUSTER: Final = record(
    {},
    serviceUrl=TEXT,
    serviceUrlTls=TEXT,
    brokerServiceUrl=TEXT,
    brokerServiceUrlTls=TEXT,
)
_TENANT: Final = record({"allowedClusters": TEXTS}, adminRoles=TEXTS)


class TenancyRoutes(Routes):
    """Paths are below `/admin/v2`."""

    title: ClassVar[str] = "Clusters and tenants"

    def __init__(self, service: BrokerService) -> None:
        self._tenancy = service.tenancy

    @route("PUT", "/clusters/{cluster}", "Make a cluster known", body=_CLUSTER)
    async def create_cluster(self, request: web.Request) -> web.Response:
        await self._tenancy.create_cluster(request.match_info["cluster"], await json_body(request))
        return web.Response()  # 200, as Pulsar

    @route("POST", "/clusters/{cluster}", "Replace what is known of a cluster", body=_CLUSTER)
    async def update_cluster(self, request: web.Request) -> web.Response:
        await self._tenancy.update_cluster(request.match_info["cluster"], await json_body(request))
        return web.Response()  # 200, as Pulsar

    @route("DELETE", "/clusters/{cluster}", "Forget a cluster that no namespace lives in")
    async def delete_cluster(self, request: web.Request) -> web.Response:
        await self._tenancy.delete_cluster(request.match_info["cluster"])
        return done()

    @route("PUT", "/tenants/{tenant}", "Make a tenant", body=_TENANT)
    async def create_tenant(self, request: web.Request) -> web.Response:
        await self._tenancy.create_tenant(request.match_info["tenant"], await json_body(request))
        return done()

    @route("POST", "/tenants/{tenant}", "Replace roles and clusters of a tenant", body=_TENANT)
    async def update_tenant(self, request: web.Request) -> web.Response:
        await self._tenancy.update_tenant(request.match_info["tenant"], await json_body(request))
        return done()

    @route(
        "DELETE",
        "/tenants/{tenant}",
        "Forget a tenant that has no namespace",
        query=(FORCE,),
        differs="`force` is always refused, as with forceDeleteTenantAllowed=false",
    )
    async def delete_tenant(self, request: web.Request) -> web.Response:
        force = flag(request, "force")
        await self._tenancy.delete_tenant(request.match_info["tenant"], force=force)
        return done()
