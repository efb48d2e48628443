"""The policies of namespaces: GET, POST or PUT, and DELETE of each row of the tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from magnetar_broker.errors import PolicyRefusedError
from magnetar_broker.http.admin_routes import NAMESPACE
from magnetar_broker.http.names import namespace_of
from magnetar_broker.http.policy_answers import (
    ADMIN,
    QUOTA_TYPE,
    answer,
    policy_rows,
    quota_type,
    refuse,
    unbuilt_rows,
    value_in,
)
from magnetar_broker.http.replies import done, json_body
from magnetar_broker.http.route_table import Routes, Row, RowHandler, route
from magnetar_broker.http.shapes import OBJECT, TEXTS
from magnetar_broker.policies.checks import backlog_quota, check_quota_within
from magnetar_broker.policies.store import Change
from magnetar_broker.policies.table import POLICIES, QUOTAS_KEY, Policy
from magnetar_broker.policies.unbuilt import OF_NAMESPACES, Unbuilt

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic_name import NamespaceName


class NamespacePolicyRoutes(Routes):
    """Paths are below `/admin/v2`."""

    title: ClassVar[str] = "Policies of namespaces"

    def __init__(self, service: BrokerService) -> None:
        super().__init__(service)
        self._store = service.policy_store
        self.cluster = service.config.cluster

    @classmethod
    def table(cls) -> list[Row]:
        rows = super().table()
        for policy in POLICIES:
            path = f"{cls.base}{NAMESPACE}/{policy.path}"
            rows += policy_rows(path, policy, _get(policy), _set(policy), _remove(policy))
        for unbuilt in OF_NAMESPACES:
            path, removal = (
                f"{cls.base}{NAMESPACE}/{each}" for each in (unbuilt.path, unbuilt.removal)
            )
            handlers = _get_unbuilt(unbuilt), _refuse(unbuilt), _remove_unbuilt(unbuilt)
            rows += unbuilt_rows(path, removal, unbuilt, *handlers)
        return rows

    async def change(self, name: NamespaceName, change: Change) -> web.Response:
        """Change what is set, and have it hold before that is answered."""
        await self._store.change_namespace(name, change)
        await self._service.live_policies.namespace_changed(name)
        return done()

    async def settings(self, request: web.Request) -> Mapping[str, Any]:
        """What is set."""
        return await self._store.namespace(namespace_of(request))

    # Backlog quotas.

    @route(
        "GET",
        f"{NAMESPACE}/backlogQuotaMap",
        "The backlog quotas that are set",
        answer=OBJECT,
        permission=ADMIN,
    )
    async def quotas(self, request: web.Request) -> web.Response:
        return web.json_response((await self.settings(request)).get(QUOTAS_KEY, {}))

    @route(
        "POST",
        f"{NAMESPACE}/backlogQuota",
        "Set a backlog quota",
        query=(QUOTA_TYPE,),
        body=OBJECT,
        permission=ADMIN,
    )
    async def set_quota(self, request: web.Request) -> web.Response:
        name, kind = namespace_of(request), quota_type(request)
        quota = backlog_quota(await json_body(request), str(name))

        def change(settings: dict[str, Any]) -> None:
            check_quota_within(quota, settings.get("retention_policies"))
            settings[QUOTAS_KEY] = {**settings.get(QUOTAS_KEY, {}), kind: quota}

        return await self.change(name, change)

    @route(
        "DELETE",
        f"{NAMESPACE}/backlogQuota",
        "Unset a backlog quota",
        query=(QUOTA_TYPE,),
        permission=ADMIN,
    )
    async def remove_quota(self, request: web.Request) -> web.Response:
        kind = quota_type(request)

        def change(settings: dict[str, Any]) -> None:
            quotas = settings.get(QUOTAS_KEY, {})
            _put(settings, QUOTAS_KEY, {key: quotas[key] for key in quotas if key != kind})

        return await self.change(namespace_of(request), change)

    # The cluster that there is.

    @route(
        "GET",
        f"{NAMESPACE}/replication",
        "The clusters that the namespace is in",
        answer=TEXTS,
        permission=ADMIN,
    )
    async def replication(self, request: web.Request) -> web.Response:
        policies = await self._service.namespaces.policies(namespace_of(request))
        return web.json_response(policies["replication_clusters"])

    @route(
        "POST",
        f"{NAMESPACE}/replication",
        "Name the clusters that the namespace is in",
        body=TEXTS,
        permission=ADMIN,
        differs="there is one cluster: naming another is refused with 501",
    )
    async def set_replication(self, request: web.Request) -> web.Response:
        policies = await self._service.namespaces.policies(namespace_of(request))
        if await json_body(request) != policies["replication_clusters"]:
            raise PolicyRefusedError(501, "Replication between clusters is not built in Magnetar")
        return done()


def _get(policy: Policy) -> RowHandler:
    async def get(routes: NamespacePolicyRoutes, request: web.Request) -> web.Response:
        value = policy.read(await routes.settings(request), routes.cluster)
        return answer(policy.unset if value is None else value)

    return get


def _set(policy: Policy) -> RowHandler:
    async def set_policy(routes: NamespacePolicyRoutes, request: web.Request) -> web.Response:
        name, value = namespace_of(request), await value_in(request, policy)
        checked = None if value is None else policy.check(value)
        return await routes.change(
            name, lambda settings: policy.put(settings, routes.cluster, checked)
        )

    return set_policy


def _remove(policy: Policy) -> RowHandler:
    async def remove(routes: NamespacePolicyRoutes, request: web.Request) -> web.Response:
        name = namespace_of(request)
        return await routes.change(
            name, lambda settings: policy.put(settings, routes.cluster, None)
        )

    return remove


def _get_unbuilt(policy: Unbuilt) -> RowHandler:
    async def get(routes: NamespacePolicyRoutes, request: web.Request) -> web.Response:
        return answer((await routes.settings(request)).get(policy.key, policy.unset))

    return get


def _refuse(policy: Unbuilt) -> RowHandler:
    async def refuse_policy(routes: NamespacePolicyRoutes, request: web.Request) -> web.Response:
        holds = (await routes.settings(request)).get(policy.key, policy.unset)
        return await refuse(request, policy, holds)

    return refuse_policy


def _remove_unbuilt(policy: Unbuilt) -> RowHandler:
    async def remove(routes: NamespacePolicyRoutes, request: web.Request) -> web.Response:
        name = namespace_of(request)
        return await routes.change(name, lambda settings: _put(settings, policy.key, None))

    return remove


def _put(settings: dict[str, Any], key: str, value: Any) -> None:
    """Set or, with None, unset."""
    if value is None:
        settings.pop(key, None)
    else:
        settings[key] = value
