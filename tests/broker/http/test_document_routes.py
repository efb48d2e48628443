"""The OpenAPI document is served."""

from typing import Any

from tests.broker.conftest import Broker


async def test_served(http: Any, broker: Broker) -> None:
    document = await (await http.get("/openapi.json")).json()
    assert document["info"]["version"] == broker.service.version
    assert document["paths"]["/admin/v2/clusters"]["get"]["summary"] == "All clusters"
