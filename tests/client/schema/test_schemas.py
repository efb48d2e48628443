"""JSON, text and bytes against the official client: definitions equal, each reads the other."""

import json
from typing import Any

import magnetar.schema as ours
import pulsar.schema as official
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar.schema import SchemaError, SchemaType
from magnetar_proto import pulsar_api_pb2 as api

from tests.client.schema.strategies import records

pytestmark = pytest.mark.official


@given(records())
@settings(deadline=None, max_examples=30)
def test_definitions_are_those_of_the_official_client(drawn: tuple[Any, Any]) -> None:
    (mine, theirs), _ = drawn
    assert mine.schema() == theirs.schema()
    info = ours.JsonSchema(mine).schema_info()
    expected = official.JsonSchema(theirs).schema_info()
    assert info.schema() == expected.schema()  # the text, to the byte
    assert info.name() == expected.name()
    assert int(info.schema_type()) == int(expected.schema_type())


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_json_goes_both_ways(data: st.DataObject) -> None:
    (mine, theirs), values = data.draw(records())
    given_values = data.draw(values)
    our_schema, their_schema = ours.JsonSchema(mine), official.JsonSchema(theirs)
    our_bytes = our_schema.encode(mine(**given_values))
    their_bytes = their_schema.encode(theirs(**given_values))
    assert json.loads(our_bytes) == json.loads(their_bytes)
    assert our_schema.decode(their_bytes) == mine(**given_values)
    assert json.loads(their_schema.encode(their_schema.decode(our_bytes))) == json.loads(our_bytes)


@pytest.mark.parametrize("name", ["BytesSchema", "StringSchema"])
def test_simple_schemas_are_told_as_the_official_client_does(name: str) -> None:
    info = getattr(ours, name)().schema_info()
    expected = getattr(official, name)().schema_info()
    assert (info.schema(), info.name()) == (expected.schema(), expected.name())
    assert int(info.schema_type()) == int(expected.schema_type())


class Point(ours.Record):
    x = ours.Integer(required=True)
    label = ours.String()


def test_the_command_holds_the_definition() -> None:
    data = ours.JsonSchema(Point).to_wire()
    assert data is not None
    assert data.type == api.Schema.Json
    assert json.loads(data.schema_data)["name"] == "Point"
    assert ours.BytesSchema().to_wire() is None
    assert ours.SchemaInfo(SchemaType.STRING, "STRING", "").to_wire() is not None


def test_values_come_back() -> None:
    schema = ours.JsonSchema(Point)
    point = Point(x=3, label="ü")
    assert schema.encode(point) == '{"x":3,"label":"ü"}'.encode()
    assert schema.decode(schema.encode(point)) == point
    assert ours.StringSchema().decode(ours.StringSchema().encode("ü")) == "ü"
    assert ours.BytesSchema().decode(ours.BytesSchema().encode(b"\xff")) == b"\xff"


def test_what_a_newer_writer_added_is_passed_over() -> None:
    assert ours.JsonSchema(Point).decode(b'{"x": 1, "new": 2}') == Point(x=1)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"x": "one"}', b'{"x": null}'])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(SchemaError):
        ours.JsonSchema(Point).decode(data)


def test_a_text_that_is_none_is_refused() -> None:
    with pytest.raises(SchemaError):
        ours.StringSchema().decode(b"\xff")


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (ours.BytesSchema(), "text"),
        (ours.StringSchema(), b"bytes"),
        (ours.JsonSchema(Point), {"x": 1}),
    ],
)
def test_values_of_other_types_are_refused(schema: ours.Schema[Any], value: Any) -> None:
    with pytest.raises(TypeError, match="the schema takes"):
        schema.encode(value)


class Blob(ours.Record):
    content = ours.Bytes()


def test_json_says_that_it_cannot_hold_such_bytes() -> None:
    with pytest.raises(SchemaError, match="use AvroSchema"):
        ours.JsonSchema(Blob).encode(Blob(content=b"\xff"))
