"""Brokers, clusters, tenants and namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from aiohttp import web
from magnetar_metadata.broker_addresses import LeaderRecord

from magnetar_broker.http.names import namespace_of
from magnetar_broker.http.replies import done, json_body, refusal
from magnetar_broker.http.route_table import Parameter, Permission, Routes, route
from magnetar_broker.http.shapes import OBJECT, TEXT, TEXTS, flag_of, one_of, record
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService


NAMESPACE: Final = "/namespaces/{tenant}/{namespace}"


class AdminRoutes(Routes):
    """Paths are below `/admin/v2`."""

    title: ClassVar[str] = "Brokers, clusters, tenants and namespaces"

    def __init__(self, service: BrokerService) -> None:
        self._service = service
        self._namespaces = service.namespaces

    @route(
        "GET",
        "/brokers/health",
        "Whether clients are taken and metadata answers",
        answer=TEXT,
        media_type="text/plain",
        differs="no message is sent and received",
        permission=Permission.ANYONE,
    )
    @route(
        "GET",
        "/brokers/ready",
        "Whether clients are taken and metadata answers",
        answer=TEXT,
        media_type="text/plain",
        permission=Permission.ANYONE,
    )
    async def health(self, request: web.Request) -> web.Response:
        """Whether clients are taken and metadata answers."""
        if not await self._service.healthy():
            return refusal(503, "The broker is stopping")
        return web.Response(text="ok")

    @route(
        "GET",
        "/brokers/version",
        "The version of this program",
        answer=TEXT,
        media_type="text/plain",
        permission=Permission.ANYONE,
    )
    async def version(self, request: web.Request) -> web.Response:
        return web.Response(text=self._service.version)

    @route("GET", "/brokers", "All brokers that are up", answer=TEXTS)
    @route("GET", "/brokers/{cluster}", "All brokers that are up", answer=TEXTS)
    async def brokers(self, request: web.Request) -> web.Response:
        """All that are up."""
        cluster = self._service.cluster
        if cluster is not None:
            return web.json_response(sorted(await cluster.directory.reports()))
        return web.json_response([self._service.config.broker_id])

    @route(
        "GET",
        "/brokers/leaderBroker",
        "The broker that decides who gets a bundle",
        answer=record({"brokerId": TEXT, "serviceUrl": TEXT}),
    )
    async def leader(self, request: web.Request) -> web.Response:
        """The broker that decides who gets a bundle; the only one if there is one."""
        config, cluster = self._service.config, self._service.cluster
        leader: LeaderRecord | None = LeaderRecord(config.broker_id, config.web_url)
        if cluster is not None:
            leader = await cluster.directory.leader()
        if leader is None:
            return refusal(404, "Couldn't find leader broker")
        return web.json_response(leader.to_json())

    @route("GET", "/clusters", "All clusters", answer=TEXTS, permission=Permission.ANYONE)
    async def clusters(self, request: web.Request) -> web.Response:
        return web.json_response(await self._namespaces.clusters())

    @route("GET", "/clusters/{cluster}", "Where a cluster is reached", answer=OBJECT)
    async def cluster(self, request: web.Request) -> web.Response:
        data = await self._namespaces.cluster(request.match_info["cluster"])
        return refusal(404, "Cluster does not exist") if data is None else web.json_response(data)

    @route("GET", "/tenants", "All tenants", answer=TEXTS)
    async def tenants(self, request: web.Request) -> web.Response:
        return web.json_response(await self._namespaces.tenants())

    @route(
        "GET", "/tenants/{tenant}", "Who may administer a tenant, and where it lives", answer=OBJECT
    )
    async def tenant(self, request: web.Request) -> web.Response:
        data = await self._namespaces.tenant(request.match_info["tenant"])
        return refusal(404, "Tenant does not exist") if data is None else web.json_response(data)

    @route(
        "GET",
        "/namespaces/{tenant}",
        "The namespaces of a tenant",
        answer=TEXTS,
        permission=Permission.TENANT_ADMIN,
    )
    async def namespaces(self, request: web.Request) -> web.Response:
        tenant = request.match_info["tenant"]
        if await self._namespaces.tenant(tenant) is None:
            return refusal(404, "Tenant not found")
        return web.json_response(await self._namespaces.names(tenant))

    @route(
        "GET",
        NAMESPACE,
        "All policies of a namespace",
        answer=OBJECT,
        permission=Permission.TENANT_ADMIN,
    )
    async def policies(self, request: web.Request) -> web.Response:
        return web.json_response(await self._namespaces.policies(namespace_of(request)))

    @route(
        "PUT",
        NAMESPACE,
        "Make a namespace",
        body=one_of(OBJECT, TEXT),
        permission=Permission.TENANT_ADMIN,
    )
    async def create_namespace(self, request: web.Request) -> web.Response:
        name = namespace_of(request)
        policies = await json_body(request)
        if policies is not None and not isinstance(policies, dict | str):
            return refusal(400, "Policies are a JSON object")
        if await self._namespaces.tenant(name.tenant) is None:
            return refusal(404, "Tenant does not exist")
        await self._namespaces.create(name, policies if isinstance(policies, dict) else {})
        return done()

    @route(
        "GET",
        f"{NAMESPACE}/topics",
        "The topics of a namespace",
        answer=TEXTS,
        query=(
            Parameter("mode", "PERSISTENT, NON_PERSISTENT or ALL"),
            flag_of("includeSystemTopic", "those that brokers keep for themselves too"),
        ),
        permission=Permission.TENANT_ADMIN,
    )
    async def topics(self, request: web.Request) -> web.Response:
        namespace = namespace_of(request)
        await self._namespaces.policies(namespace)
        mode, catalog = request.query.get("mode", "PERSISTENT").upper(), self._service.catalog
        names: list[TopicName] = []
        if mode != "NON_PERSISTENT":
            names = await catalog.topics(namespace)
        if mode != "PERSISTENT":
            names += catalog.non_persistent_topics(namespace)
        return web.json_response([str(name) for name in names])
