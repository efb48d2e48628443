"""A web service (FastAPI) that takes orders over HTTP and hands them on as messages.

    pip install fastapi uvicorn
    python examples/web_service.py [SERVICE_URL [PORT]]

    curl -d '{"item": "book", "count": 2}' -H 'Content-Type: application/json' localhost:8000/orders
    curl localhost:8000/orders/next

The client lives as long as the service and shares its event loop: no threads, no pools. An order
is accepted when it is on disk, and done when the one who asked for it has got it.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from magnetar import Client, ConsumerType, Timeout
from magnetar.schema import JsonSchema

TOPIC = "example-orders"
WAIT_S = 5.0


@dataclass
class Order:
    item: str
    count: int = 1


def make_app(service_url: str) -> FastAPI:
    """The service, with a client that opens and closes with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Client(service_url) as client:
            schema = JsonSchema(Order)
            app.state.orders = await client.create_producer(TOPIC, schema=schema)
            app.state.queue = await client.subscribe(
                TOPIC, "packing", consumer_type=ConsumerType.Shared, schema=schema
            )
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/orders", status_code=201)
    async def accept(order: Order, request: Request) -> dict[str, str]:
        message_id = await request.app.state.orders.send(order)
        return {"id": str(message_id)}

    @app.get("/orders/next")
    async def next_order(request: Request) -> dict[str, Any]:
        queue = request.app.state.queue
        try:
            message = await queue.receive(timeout=WAIT_S)
        except Timeout:
            raise HTTPException(404, "no order") from None
        await queue.acknowledge(message)
        order: Order = message.value()
        return {"item": order.item, "count": order.count}

    return app


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else "pulsar://localhost:6650"
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8000
    uvicorn.run(make_app(url), port=port, log_level="warning")
