"""Shapes are JSON schemas."""

import json

from magnetar_broker.http.shapes import INT, MESSAGE_ID, TEXT, TEXTS, as_json, map_of, record


def test_records_have_what_is_required_and_more() -> None:
    shape = record({"a": INT}, b=TEXTS)
    assert shape["required"] == ["a"]
    assert set(shape["properties"]) == {"a", "b"}


def test_as_json_has_plain_things_only() -> None:
    shape = as_json(map_of(MESSAGE_ID))
    assert json.loads(json.dumps(shape)) == shape
    assert as_json(TEXT) == {"type": "string"}
