"""A broker on real ledgers in memory with its HTTP side on a socket, in real time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

from aiohttp import ClientWebSocketResponse, web
from aiohttp.test_utils import TestClient, TestServer
from magnetar_broker.config import BrokerConfig
from magnetar_broker.http.api import add_routes
from magnetar_broker.service import BrokerService
from magnetar_runtime.clock import SystemClock

from tests.broker.test_broker_on_ledgers import broker_on
from tests.ledger.managed.harness import World

Http = TestClient[web.Request, web.Application]
TOPIC = "/topics/persistent/public/default/t"
CONSUMER = f"{TOPIC}/subscriptions/s/consumers/me"


class Web:
    """The broker and a client of its HTTP side."""

    def __init__(self, service: BrokerService, http: Http) -> None:
        self.service = service
        self.http = http

    async def ask(self, method: str, path: str, body: Any = None, **fields: Any) -> tuple[int, Any]:
        """Status and JSON of an answer; bodies that are bytes go as they are."""
        given = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.http.request(method, path, **given, **fields) as answer:
            if answer.content_type == "application/json":
                return answer.status, await answer.json()
            return answer.status, await answer.read()

    async def produce(self, *texts: str, **fields: Any) -> list[str]:
        """Ids of messages that were stored."""
        messages = [{"payload": text, **fields} for text in texts]
        status, found = await self.ask("POST", TOPIC, {"messages": messages})
        assert status == 200, found
        return [each["messageId"] for each in found["messagePublishResults"]]

    async def receive(self, count: int = 100, **query: Any) -> list[Any]:
        """Messages of the consumer."""
        query = {"maxMessages": count, "waitMillis": 2000, **query}
        query.setdefault("subscriptionInitialPosition", "Earliest")
        status, found = await self.ask("GET", f"{CONSUMER}/messages", params=query)
        assert status == 200, found
        return list(found["messages"])

    async def socket(self, path: str) -> ClientWebSocketResponse:
        """A WebSocket."""
        return await self.http.ws_connect(f"/ws/v2/{path}")


@asynccontextmanager
async def web_world(config: BrokerConfig | None = None) -> AsyncIterator[Web]:
    """A broker with everything that it serves over HTTP."""
    with patch("tests.ledger.managed.harness.virtual_clock", SystemClock):
        world = World()
    async with broker_on(world, config) as service:
        application = web.Application(client_max_size=8 << 20)
        add_routes(application, service)
        async with TestClient(TestServer(application)) as http:
            yield Web(service, http)


async def until(condition: Callable[[], Any]) -> None:
    """Turns of the loop until something is true."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come true")
