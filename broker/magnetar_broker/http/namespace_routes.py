"""Namespaces as a whole: their end, properties, backlogs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from aiohttp import web

from magnetar_broker.http.admin_routes import NAMESPACE
from magnetar_broker.http.names import namespace_of
from magnetar_broker.http.replies import done, flag, json_body, properties_in
from magnetar_broker.http.route_table import Permission, Routes, route
from magnetar_broker.http.shapes import AUTHORITATIVE, FORCE, PROPERTIES, TEXT

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService

_ADMIN: Final = Permission.TENANT_ADMIN


class NamespaceRoutes(Routes):
    """Paths are below `/admin/v2`."""

    title: ClassVar[str] = "Namespaces"

    def __init__(self, service: BrokerService) -> None:
        self._admin = service.namespace_admin

    @route(
        "DELETE",
        NAMESPACE,
        "Forget a namespace that has no topic, or with its topics",
        query=(FORCE, AUTHORITATIVE),
        permission=_ADMIN,
    )
    async def delete(self, request: web.Request) -> web.Response:
        await self._admin.delete(namespace_of(request), force=flag(request, "force"))
        return done()

    @route(
        "GET",
        f"{NAMESPACE}/properties",
        "What is written down beside a namespace",
        answer=PROPERTIES,
        permission=_ADMIN,
    )
    async def properties(self, request: web.Request) -> web.Response:
        return web.json_response(await self._admin.properties(namespace_of(request)))

    @route(
        "PUT",
        f"{NAMESPACE}/properties",
        "Add to the properties, or replace those of the same name",
        body=PROPERTIES,
        permission=_ADMIN,
    )
    async def set_properties(self, request: web.Request) -> web.Response:
        properties = properties_in(await json_body(request))
        await self._admin.set_properties(namespace_of(request), properties)
        return done()

    @route("DELETE", f"{NAMESPACE}/properties", "Forget all properties", permission=_ADMIN)
    async def clear_properties(self, request: web.Request) -> web.Response:
        await self._admin.clear_properties(namespace_of(request))
        return done()

    @route(
        "PUT",
        f"{NAMESPACE}/property/{{key}}/{{value}}",
        "Set one property",
        permission=_ADMIN,
    )
    async def set_property(self, request: web.Request) -> web.Response:
        parts = request.match_info
        await self._admin.set_properties(namespace_of(request), {parts["key"]: parts["value"]})
        return done()

    @route(
        "GET",
        f"{NAMESPACE}/property/{{key}}",
        "One property; nothing if it is not set",
        answer=TEXT,
        permission=_ADMIN,
    )
    async def property_(self, request: web.Request) -> web.Response:
        properties = await self._admin.properties(namespace_of(request))
        return bare_text(properties.get(request.match_info["key"]))

    @route(
        "DELETE",
        f"{NAMESPACE}/property/{{key}}",
        "Forget one property; what it was",
        answer=TEXT,
        permission=_ADMIN,
    )
    async def remove_property(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        return bare_text(await self._admin.remove_property(namespace_of(request), key))


def bare_text(text: str | None) -> web.Response:
    """A text as it is, though called JSON, as Pulsar does; an empty answer for None."""
    if text is None:
        return web.Response()
    return web.Response(text=text, content_type="application/json")
