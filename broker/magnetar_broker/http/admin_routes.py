"""Brokers, clusters, tenants and namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from magnetar_metadata.broker_addresses import LeaderRecord

from magnetar_broker.http.replies import done, json_body, refusal
from magnetar_broker.topic_name import NamespaceName, TopicName

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService


class AdminRoutes:
    """Paths are below `/admin/v2`."""

    def __init__(self, service: BrokerService) -> None:
        self._service = service
        self._namespaces = service.namespaces

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/brokers/health", self.health),
            web.get("/brokers/ready", self.health),
            web.get("/brokers/version", self.version),
            web.get("/brokers", self.brokers),
            web.get("/brokers/leaderBroker", self.leader),
            web.get("/brokers/{cluster}", self.brokers),
            web.get("/clusters", self.clusters),
            web.get("/clusters/{cluster}", self.cluster),
            web.get("/tenants", self.tenants),
            web.get("/tenants/{tenant}", self.tenant),
            web.get("/namespaces/{tenant}", self.namespaces),
            web.get("/namespaces/{tenant}/{namespace}", self.policies),
            web.put("/namespaces/{tenant}/{namespace}", self.create_namespace),
            web.get("/namespaces/{tenant}/{namespace}/topics", self.topics),
        ]

    async def health(self, request: web.Request) -> web.Response:
        """Whether clients are taken and metadata answers."""
        if not await self._service.healthy():
            return refusal(503, "The broker is stopping")
        return web.Response(text="ok")

    async def version(self, request: web.Request) -> web.Response:
        return web.Response(text=self._service.version)

    async def brokers(self, request: web.Request) -> web.Response:
        """All that are up."""
        config, cluster = self._service.config, self._service.cluster
        if cluster is not None:
            return web.json_response(sorted(await cluster.directory.reports()))
        return web.json_response([f"{config.advertised_host}:{config.web_port}"])

    async def leader(self, request: web.Request) -> web.Response:
        """The broker that decides who gets a bundle; the only one if there is one."""
        config, cluster = self._service.config, self._service.cluster
        broker_id = f"{config.advertised_host}:{config.web_port}"
        leader: LeaderRecord | None = LeaderRecord(broker_id, config.web_url)
        if cluster is not None:
            leader = await cluster.directory.leader()
        if leader is None:
            return refusal(404, "Couldn't find leader broker")
        return web.json_response(leader.to_json())

    async def clusters(self, request: web.Request) -> web.Response:
        return web.json_response(await self._namespaces.clusters())

    async def cluster(self, request: web.Request) -> web.Response:
        data = await self._namespaces.cluster(request.match_info["cluster"])
        return refusal(404, "Cluster does not exist") if data is None else web.json_response(data)

    async def tenants(self, request: web.Request) -> web.Response:
        return web.json_response(await self._namespaces.tenants())

    async def tenant(self, request: web.Request) -> web.Response:
        data = await self._namespaces.tenant(request.match_info["tenant"])
        return refusal(404, "Tenant does not exist") if data is None else web.json_response(data)

    async def namespaces(self, request: web.Request) -> web.Response:
        tenant = request.match_info["tenant"]
        if await self._namespaces.tenant(tenant) is None:
            return refusal(404, "Tenant not found")
        return web.json_response(await self._namespaces.names(tenant))

    async def policies(self, request: web.Request) -> web.Response:
        return web.json_response(await self._namespaces.policies(_namespace_of(request)))

    async def create_namespace(self, request: web.Request) -> web.Response:
        name = _namespace_of(request)
        policies = await json_body(request)
        if policies is not None and not isinstance(policies, dict | str):
            return refusal(400, "Policies are a JSON object")
        if await self._namespaces.tenant(name.tenant) is None:
            return refusal(404, "Tenant does not exist")
        await self._namespaces.create(name, policies if isinstance(policies, dict) else {})
        return done()

    async def topics(self, request: web.Request) -> web.Response:
        namespace = _namespace_of(request)
        await self._namespaces.policies(namespace)
        mode, catalog = request.query.get("mode", "PERSISTENT").upper(), self._service.catalog
        names: list[TopicName] = []
        if mode != "NON_PERSISTENT":
            names = await catalog.topics(namespace)
        if mode != "PERSISTENT":
            names += catalog.non_persistent_topics(namespace)
        return web.json_response([str(name) for name in names])


def _namespace_of(request: web.Request) -> NamespaceName:
    return NamespaceName.parse(f"{request.match_info['tenant']}/{request.match_info['namespace']}")
