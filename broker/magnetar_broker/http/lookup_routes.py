"""Lookup over HTTP: what clients with an `http://` service URL ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from magnetar_broker.http.owner_redirect import redirect_to
from magnetar_broker.http.replies import flag
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService


class LookupRoutes:
    """Paths are below `/lookup/v2`."""

    def __init__(self, service: BrokerService) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/topic/{domain}/{tenant}/{namespace}/{topic}", self.look_up),
            web.get("/topic/{domain}/{tenant}/{namespace}/{topic}/bundle", self.bundle),
        ]

    async def look_up(self, request: web.Request) -> web.Response:
        name = _topic_of(request)
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

    async def bundle(self, request: web.Request) -> web.Response:
        """The hashes of the bundle that a topic is in, as bare text."""
        name = _topic_of(request)
        found = await self._service.bundle_maps.of(str(name.namespace))
        return web.Response(text=found.bundles.bundle_of(str(name)).range)


def _topic_of(request: web.Request) -> TopicName:
    parts = request.match_info
    return TopicName.parse(
        f"{parts['domain']}://{parts['tenant']}/{parts['namespace']}/{parts['topic']}"
    )


def _listener_of(request: web.Request) -> str:
    return request.query.get("listenerName", "") or request.headers.get("X-Pulsar-ListenerName", "")
