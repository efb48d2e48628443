"""What the calls of this broker are, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aiohttp import web

from magnetar_broker.http.openapi import openapi
from magnetar_broker.http.route_table import Permission, Routes, route
from magnetar_broker.http.shapes import OBJECT

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService


class DocumentRoutes(Routes):
    """Paths are below the root."""

    base: ClassVar[str] = ""
    title: ClassVar[str] = "Documents"

    def __init__(self, service: BrokerService) -> None:
        self._version = service.version

    @route(
        "GET",
        "/openapi.json",
        "All calls as an OpenAPI document",
        answer=OBJECT,
        permission=Permission.ANYONE,
        ours=True,
    )
    async def document(self, request: web.Request) -> web.Response:
        from magnetar_broker.http.api import route_table  # which names this class

        return web.json_response(openapi(route_table(), self._version))
