"""What load balancers ask: whether clients may be sent here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from aiohttp import web
from magnetar_runtime.system_disk import SystemDisk

from magnetar_broker.http.replies import refusal
from magnetar_broker.http.route_table import Permission, Routes, route
from magnetar_broker.http.shapes import TEXT

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService


class StatusRoutes(Routes):
    """Paths are below the root."""

    base: ClassVar[str] = ""
    title: ClassVar[str] = "Status"

    def __init__(self, service: BrokerService) -> None:
        self._service = service
        self._path = service.config.web.status_file

    @route(
        "GET",
        "/status.html",
        "OK while clients are taken and the file of `statusFilePath` is there, else 404",
        answer=TEXT,
        media_type="text/plain",
        permission=Permission.ANYONE,
    )
    @route(
        "HEAD",
        "/status.html",
        "The same without a body",
        answer=TEXT,
        media_type="text/plain",
        permission=Permission.ANYONE,
    )
    async def status(self, request: web.Request) -> web.Response:
        # Operators take a broker out of a load balancer by deleting the file.
        if not self._path or not await asyncio.to_thread(SystemDisk().exists, self._path):
            return refusal(404, "Not Found")
        # Scenario: metadata is away, and load balancers would take out every broker.
        if not self._service.takes_clients:
            return refusal(404, "The broker is stopping")
        return web.Response(text="OK")
