"""Lookup over HTTP: what clients with an `http://` service URL ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aiohttp import web

from magnetar_broker.http.names import topic_of
from magnetar_broker.http.owner_redirect import redirect_to
from magnetar_broker.http.replies import flag
from magnetar_broker.http.route_table import Parameter, Permission, Routes, route
from magnetar_broker.http.shapes import AUTHORITATIVE, TEXT, record

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService


class LookupRoutes(Routes):
    """Paths are below `/lookup/v2`."""

    base: ClassVar[str] = "/lookup/v2"
    title: ClassVar[str] = "Lookup"

    def __init__(self, service: BrokerService) -> None:
        self._service = service

    @route(
        "GET",
        "/topic/{domain}/{tenant}/{namespace}/{topic}",
        "Which broker serves a topic",
        answer=record(
            {"brokerUrl": TEXT, "httpUrl": TEXT, "nativeUrl": TEXT},
            brokerUrlTls=TEXT,
            httpUrlTls=TEXT,
        ),
        query=(
            AUTHORITATIVE,
            Parameter("listenerName", "of the addresses; also the header X-Pulsar-ListenerName"),
        ),
        any_broker=True,
        permission=Permission.LOOKUP,
    )
    async def look_up(self, request: web.Request) -> web.Response:
        name = topic_of(request)
        await self._service.namespaces.check(name.namespace)
        where = await self._service.ownership.look_up(
            name, authoritative=flag(request, "authoritative"), listener=_listener_of(request)
        )
        if where.redirect:
            raise redirect_to(request, where)
        urls = where.urls
        tls = {"brokerUrlTls": urls.broker_tls, "httpUrlTls": urls.web_tls}
        answer = {
            "brokerUrl": urls.broker,
            "httpUrl": urls.web,
            "nativeUrl": urls.broker,
            "brokerUrlSsl": "",
            **{key: url for key, url in tls.items() if url},
        }
        return web.json_response(answer)

    @route(
        "GET",
        "/topic/{domain}/{tenant}/{namespace}/{topic}/bundle",
        "The bundle that a topic is in",
        answer=TEXT,
        media_type="text/plain",
        any_broker=True,
        permission=Permission.LOOKUP,
    )
    async def bundle(self, request: web.Request) -> web.Response:
        """The hashes of the bundle that a topic is in, as bare text."""
        name = topic_of(request)
        found = await self._service.bundle_maps.of(str(name.namespace))
        return web.Response(text=found.bundles.bundle_of(str(name)).range)


def _listener_of(request: web.Request) -> str:
    return request.query.get("listenerName", "") or request.headers.get("X-Pulsar-ListenerName", "")
