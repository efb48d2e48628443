"""All routes are there."""

from typing import Any


async def test_both_trees_are_served(http: Any) -> None:
    assert (await http.get("/admin/v2/brokers/ready")).status == 200
    assert (await http.get("/lookup/v2/topic/persistent/public/default/x")).status == 200
    assert (await http.get("/admin/v3/anything")).status == 404
