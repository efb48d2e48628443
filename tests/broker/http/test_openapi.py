"""The OpenAPI document is whole and is served."""

from magnetar_broker.http.api import route_table
from magnetar_broker.http.openapi import openapi


def test_every_call_is_in_it() -> None:
    document = openapi(route_table(), "1")
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert len(operations) == len(route_table())
    topic = document["paths"]["/admin/v2/{domain}/{tenant}/{namespace}/{topic}/partitions"]
    assert {each["name"] for each in topic["get"]["parameters"] if each["in"] == "path"} == {
        "domain",
        "tenant",
        "namespace",
        "topic",
    }
    assert topic["put"]["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    assert "204" in topic["put"]["responses"]
