"""The policies of topics: GET (with `applied=true` what holds), POST or PUT, and DELETE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiohttp import web

from magnetar_broker.errors import PolicyRefusedError, TopicNotFoundError
from magnetar_broker.http.names import topic_of
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
from magnetar_broker.http.replies import done, flag, json_body
from magnetar_broker.http.route_table import Routes, Row, RowHandler, route
from magnetar_broker.http.shapes import OBJECT, flag_of
from magnetar_broker.http.topic_routes import TOPIC
from magnetar_broker.policies.checks import backlog_quota, check_quota_within, message_size
from magnetar_broker.policies.defaults import broker_level
from magnetar_broker.policies.store import Change
from magnetar_broker.policies.table import (
    MAX_MESSAGE_SIZE,
    NO_CONTENT,
    POLICIES,
    QUOTAS_NAME,
    Policy,
    namespace_level,
    topic_level,
)
from magnetar_broker.policies.unbuilt import APPLIED, OF_TOPICS, Unbuilt
from magnetar_broker.policies.values import merged

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic_name import TopicName


OF_TOPICS_BUILT: Final = (
    *(policy for policy in POLICIES if policy.topic_check is not None),
    Policy(name=MAX_MESSAGE_SIZE, topic_unset=NO_CONTENT, applies=False, clears=False),
)
APPLIED_FLAG: Final = flag_of("applied", "what holds, whether it was set for the topic or not")


class TopicPolicyRoutes(Routes):
    """Paths are below `/admin/v2`."""

    title: ClassVar[str] = "Policies of topics"

    def __init__(self, service: BrokerService) -> None:
        super().__init__(service)
        self._store = service.policy_store
        self._broker_level = broker_level(service.config)

    @classmethod
    def table(cls) -> list[Row]:
        rows = super().table()
        for policy in OF_TOPICS_BUILT:
            path = f"{cls.base}{TOPIC}/{policy.name}"
            handlers = _get(policy), _set(policy), _remove(policy)
            rows += policy_rows(path, policy, *handlers, query=(APPLIED_FLAG,))
        for unbuilt in OF_TOPICS:
            path = f"{cls.base}{TOPIC}/{unbuilt.path}"
            handlers = _get_unbuilt(unbuilt), _refuse(unbuilt), _remove_unbuilt
            rows += unbuilt_rows(path, path, unbuilt, *handlers)
        return rows

    # What is there.

    async def name_of(self, request: web.Request) -> TopicName:
        """The topic that is meant. Raises unless it exists and may have policies."""
        name, catalog = topic_of(request), self._service.catalog
        if name.is_partition and await catalog.partitions(name.parent):
            raise PolicyRefusedError(412, "Not allowed to set/get topic policy for a partition")
        if not await catalog.exists(name) and not await catalog.partitions(name):
            await self._service.namespaces.check(name.namespace)
            raise TopicNotFoundError(f"Topic {name} not found")
        return name

    async def own(self, request: web.Request, name: TopicName) -> dict[str, Any]:
        """What is set for the topic. For the topics of all clusters nothing is."""
        return {} if flag(request, "isGlobal") else await self._store.topic(name)

    async def holds(self, name: TopicName) -> dict[str, Any]:
        """What holds for it, whether it was set for it or for more."""
        namespace = str(name.namespace)
        of_namespace = await self._store.namespace(name.namespace)
        return merged(
            topic_level(await self._store.topic(name), namespace),
            namespace_level(of_namespace, namespace, self._service.config.cluster),
            self._broker_level,
        )

    async def clusters(self, name: TopicName) -> Any:
        """The clusters that its namespace is in."""
        policies = await self._service.namespaces.policies(name.namespace)
        return policies["replication_clusters"]

    async def change(self, name: TopicName, change: Change) -> web.Response:
        """Change what is set, and have it hold before that is answered."""
        await self._store.change_topic(name, change)
        await self._service.live_policies.topic_changed(name)
        return done()

    def check_size(self, value: Any) -> Any:
        """A largest message. Raises PolicyRefusedError."""
        return message_size(self._service.config.limits.max_message_bytes)(value)

    # Those that are not alike.

    @route("DELETE", f"{TOPIC}/policies", "Unset all policies of a topic", permission=ADMIN)
    async def clear(self, request: web.Request) -> web.Response:
        return await self.change(await self.name_of(request), lambda settings: settings.clear())

    @route(
        "GET",
        f"{TOPIC}/backlogQuotaMap",
        "The backlog quotas that are set",
        query=(APPLIED_FLAG,),
        answer=OBJECT,
        permission=ADMIN,
    )
    async def quotas(self, request: web.Request) -> web.Response:
        name = await self.name_of(request)
        quotas = (await self.own(request, name)).get(QUOTAS_NAME, {})
        if not quotas and flag(request, "applied"):
            quotas = (await self.holds(name))[QUOTAS_NAME]
        return web.json_response(quotas)

    @route(
        "POST",
        f"{TOPIC}/backlogQuota",
        "Set a backlog quota",
        query=(QUOTA_TYPE,),
        body=OBJECT,
        permission=ADMIN,
    )
    async def set_quota(self, request: web.Request) -> web.Response:
        name, kind = await self.name_of(request), quota_type(request)
        quota = backlog_quota(await json_body(request), str(name.namespace))
        settings = await self._store.namespace(name.namespace)
        kept = namespace_level(settings, str(name.namespace)).get("retention")

        def change(settings: dict[str, Any]) -> None:
            check_quota_within(quota, settings.get("retention", kept))
            settings[QUOTAS_NAME] = {**settings.get(QUOTAS_NAME, {}), kind: quota}

        _refuse_global(request)
        return await self.change(name, change)

    @route(
        "DELETE",
        f"{TOPIC}/backlogQuota",
        "Unset a backlog quota",
        query=(QUOTA_TYPE,),
        permission=ADMIN,
    )
    async def remove_quota(self, request: web.Request) -> web.Response:
        kind = quota_type(request)

        def change(settings: dict[str, Any]) -> None:
            quotas = settings.pop(QUOTAS_NAME, {})
            quotas.pop(kind, None)
            if quotas:
                settings[QUOTAS_NAME] = quotas

        return await self.change(await self.name_of(request), change)


def _get(policy: Policy) -> RowHandler:
    async def get(routes: TopicPolicyRoutes, request: web.Request) -> web.Response:
        name = await routes.name_of(request)
        if policy.applies and flag(request, "applied"):
            return answer((await routes.holds(name))[policy.name])
        return answer((await routes.own(request, name)).get(policy.name, policy.topic_unset))

    return get


def _set(policy: Policy) -> RowHandler:
    async def set_policy(routes: TopicPolicyRoutes, request: web.Request) -> web.Response:
        name = await routes.name_of(request)
        value = await _value_in(request, policy)
        check = policy.topic_check or routes.check_size
        return await _put(routes, request, name, policy, None if value is None else check(value))

    return set_policy


def _remove(policy: Policy) -> RowHandler:
    async def remove(routes: TopicPolicyRoutes, request: web.Request) -> web.Response:
        return await _put(routes, request, await routes.name_of(request), policy, None)

    return remove


async def _put(
    routes: TopicPolicyRoutes, request: web.Request, name: TopicName, policy: Policy, value: Any
) -> web.Response:
    """Set or, with None, unset."""
    _refuse_global(request)

    def change(settings: dict[str, Any]) -> None:
        settings.pop(policy.name, None)
        if value is not None:
            settings[policy.name] = value

    return await routes.change(name, change)


def _get_unbuilt(policy: Unbuilt) -> RowHandler:
    async def get(routes: TopicPolicyRoutes, request: web.Request) -> web.Response:
        name = await routes.name_of(request)
        if not flag(request, "applied"):
            return answer(policy.unset)
        if policy.path == "replication":
            return answer(await routes.clusters(name))
        return answer(APPLIED.get(policy.path, policy.unset))

    return get


def _refuse(policy: Unbuilt) -> RowHandler:
    async def refuse_policy(routes: TopicPolicyRoutes, request: web.Request) -> web.Response:
        name = await routes.name_of(request)
        own = policy.path == "replication"
        return await refuse(request, policy, await routes.clusters(name) if own else policy.unset)

    return refuse_policy


async def _remove_unbuilt(routes: TopicPolicyRoutes, request: web.Request) -> web.Response:
    await routes.name_of(request)
    return done()


async def _value_in(request: web.Request, policy: Policy) -> Any:
    """As `value_in`; of the TTL it stands in the query."""
    if policy.name != "messageTTL":
        return await value_in(request, policy)
    text = request.query.get("messageTTL")
    try:
        return None if text is None else int(text)
    except ValueError as error:
        raise PolicyRefusedError(400, f"messageTTL={text} is no number") from error


def _refuse_global(request: web.Request) -> None:
    if flag(request, "isGlobal"):
        raise PolicyRefusedError(501, "Policies of all clusters are not built in Magnetar")
