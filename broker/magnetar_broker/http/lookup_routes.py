"""Lookup over HTTP: what clients with an `http://` service URL ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from magnetar_broker.handlers_lookup import check_listener
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService


class LookupRoutes:
    """Paths are below `/lookup/v2`."""

    def __init__(self, service: BrokerService) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/topic/{domain}/{tenant}/{namespace}/{topic}", self.look_up)]

    async def look_up(self, request: web.Request) -> web.Response:
        parts = request.match_info
        name = TopicName.parse(
            f"{parts['domain']}://{parts['tenant']}/{parts['namespace']}/{parts['topic']}"
        )
        check_listener(
            request.query.get("listenerName", "")
            or request.headers.get("X-Pulsar-ListenerName", "")
        )
        await self._service.namespaces.check(name.namespace)
        config = self._service.config
        answer = {
            "brokerUrl": config.broker_url,
            "httpUrl": config.web_url,
            "nativeUrl": config.broker_url,
            "brokerUrlSsl": "",
        }
        return web.json_response(answer)
