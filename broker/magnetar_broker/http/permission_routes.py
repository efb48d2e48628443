"""Who may do what with namespaces, topics and subscriptions: stored as Pulsar stores it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiohttp import web

from magnetar_broker.errors import MalformedRequestError, TopicNotFoundError
from magnetar_broker.http.admin_routes import NAMESPACE
from magnetar_broker.http.names import namespace_of, topic_of
from magnetar_broker.http.replies import done, json_body
from magnetar_broker.http.route_table import Permission, Routes, route
from magnetar_broker.http.shapes import TEXT, TEXTS, list_of, map_of, record
from magnetar_broker.http.topic_routes import TOPIC
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService

_ADMIN: Final = Permission.TENANT_ADMIN
_NOT_YET: Final = "kept, and not asked yet: there is no authorisation"
_MANY: Final = list_of(record({"topic": TEXT, "role": TEXT, "actions": TEXTS}))


class PermissionRoutes(Routes):
    """Paths are below `/admin/v2`."""

    title: ClassVar[str] = "Permissions"

    def __init__(self, service: BrokerService) -> None:
        self._admin = service.namespace_admin
        self._catalog = service.catalog

    @route(
        "GET",
        f"{NAMESPACE}/permissions",
        "What each role may do in a namespace",
        answer=map_of(TEXTS),
        permission=_ADMIN,
    )
    async def of_namespace(self, request: web.Request) -> web.Response:
        return web.json_response(await self._admin.permissions(namespace_of(request)))

    @route(
        "POST",
        f"{NAMESPACE}/permissions/{{role}}",
        "Let a role do just this in a namespace",
        body=TEXTS,
        permission=_ADMIN,
        differs=_NOT_YET,
    )
    async def grant(self, request: web.Request) -> web.Response:
        role = request.match_info["role"]
        await self._admin.grant(namespace_of(request), role, await json_body(request))
        return done()

    @route(
        "DELETE",
        f"{NAMESPACE}/permissions/{{role}}",
        "Take the permission for a namespace from a role",
        permission=_ADMIN,
    )
    async def revoke(self, request: web.Request) -> web.Response:
        await self._admin.revoke(namespace_of(request), request.match_info["role"])
        return done()

    @route(
        "GET",
        f"{NAMESPACE}/permissions/subscription",
        "Which roles alone may use a subscription",
        answer=map_of(TEXTS),
        permission=_ADMIN,
    )
    async def of_subscriptions(self, request: web.Request) -> web.Response:
        return web.json_response(await self._admin.subscription_permissions(namespace_of(request)))

    @route(
        "POST",
        f"{NAMESPACE}/permissions/subscription/{{subscription}}",
        "Let these roles alone use a subscription",
        body=TEXTS,
        permission=_ADMIN,
        differs=_NOT_YET,
    )
    async def grant_subscription(self, request: web.Request) -> web.Response:
        name, roles = request.match_info["subscription"], await json_body(request)
        await self._admin.grant_subscription(namespace_of(request), name, roles)
        return done()

    @route(
        "DELETE",
        f"{NAMESPACE}/permissions/{{subscription}}/{{role}}",
        "Take the permission for a subscription from a role",
        permission=_ADMIN,
        differs="404 where the subscription has no permissions (Pulsar: 500)",
    )
    async def revoke_subscription(self, request: web.Request) -> web.Response:
        parts = request.match_info
        await self._admin.revoke_subscription(
            namespace_of(request), parts["subscription"], parts["role"]
        )
        return done()

    @route(
        "GET",
        f"{TOPIC}/permissions",
        "What each role may do with a topic, by permission of the namespace too",
        answer=map_of(TEXTS),
        permission=_ADMIN,
        any_broker=True,
    )
    async def of_topic(self, request: web.Request) -> web.Response:
        return web.json_response(
            await self._admin.topic_permissions(await self._existing(topic_of(request)))
        )

    @route(
        "POST",
        f"{TOPIC}/permissions/{{role}}",
        "Let a role do just this with a topic",
        body=TEXTS,
        permission=_ADMIN,
        any_broker=True,
        differs=_NOT_YET,
    )
    async def grant_on_topic(self, request: web.Request) -> web.Response:
        name = await self._existing(topic_of(request))
        role = request.match_info["role"]
        await self._admin.grant_on_topic(name, role, await json_body(request))
        return done()

    @route(
        "DELETE",
        f"{TOPIC}/permissions/{{role}}",
        "Take the permission for a topic from a role",
        permission=_ADMIN,
        any_broker=True,
    )
    async def revoke_on_topic(self, request: web.Request) -> web.Response:
        name = await self._existing(topic_of(request))
        await self._admin.revoke_on_topic(name, request.match_info["role"])
        return done()

    @route(
        "POST",
        "/namespaces/grantPermissionsOnTopics",
        "Let roles do things with topics, one after the other",
        body=_MANY,
        differs=_NOT_YET,
    )
    async def grant_many(self, request: web.Request) -> web.Response:
        for topic, role, actions in _many_in(await json_body(request)):
            await self._admin.grant_on_topic(await self._existing(topic), role, actions)
        return done()

    @route(
        "POST",
        "/namespaces/revokePermissionsOnTopics",
        "Take permissions for topics from roles, one after the other",
        body=_MANY,
    )
    async def revoke_many(self, request: web.Request) -> web.Response:
        for topic, role, _ in _many_in(await json_body(request)):
            await self._admin.revoke_on_topic(await self._existing(topic), role)
        return done()

    async def _existing(self, name: TopicName) -> TopicName:
        if not await self._catalog.partitions(name) and not await self._catalog.exists(name):
            raise TopicNotFoundError(f"Topic {name} not found")
        return name


def _many_in(body: Any) -> list[tuple[TopicName, str, Any]]:
    wrong = "The body is a list of topic, role and actions"
    if not isinstance(body, list):
        raise MalformedRequestError(wrong)
    try:
        many = [(TopicName.parse(each["topic"]), each["role"], each["actions"]) for each in body]
    except (TypeError, KeyError, AttributeError) as error:
        raise MalformedRequestError(wrong) from error
    if not all(isinstance(role, str) for _, role, _ in many):
        raise MalformedRequestError(wrong)
    return many
