"""Avro against the official client's encoder, other versions of a schema, and a missing library."""

import json
import sys
from typing import Any

import magnetar.schema as ours
import pulsar.schema as official
import pytest
from fastavro.schema import UnknownType
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar.extras import MissingExtraError
from magnetar.schema import AvroSchema, SchemaError

from tests.client.schema.strategies import Colour, records


@pytest.mark.official
@given(st.data())
@settings(deadline=None, max_examples=30)
def test_bytes_are_those_of_the_official_client(data: st.DataObject) -> None:
    (mine, theirs), values = data.draw(records(avro=True))
    given_values = data.draw(values)
    their_schema = official.AvroSchema(theirs)
    try:
        their_bytes = their_schema.encode(theirs(**given_values))
    except UnknownType:  # an enum again, in a record of another namespace: told by its bare name
        with pytest.raises(SchemaError, match="UnknownType"):
            AvroSchema(mine)
        return
    our_schema = AvroSchema(mine)
    assert our_schema.schema_info().schema() == their_schema.schema_info().schema()
    our_bytes = our_schema.encode(mine(**given_values))
    assert our_bytes == their_bytes
    assert our_schema.encode(our_schema.decode(our_bytes)) == our_bytes


@pytest.mark.official
def test_an_enum_in_two_namespaces_is_refused_as_by_the_official_client() -> None:
    def outer(module: Any) -> Any:
        colour = module.CustomEnum(Colour)
        fields = {"_avro_namespace": "x", "colour": colour}
        inner = type(module.Record)("Inner", (module.Record,), fields)
        return type(module.Record)("Outer", (module.Record,), {"colour": colour, "inner": inner()})

    assert outer(ours).schema() == outer(official).schema()
    theirs = outer(official)
    with pytest.raises(UnknownType):
        official.AvroSchema(theirs).encode(theirs())
    with pytest.raises(SchemaError, match="UnknownType"):
        AvroSchema(outer(ours))


class Old(ours.Record):
    x = ours.Integer(required=True)


class New(ours.Record):
    x = ours.Long(required=True)
    y = ours.String(default="none", required=True, required_default=True)


def test_what_an_older_version_wrote_is_read() -> None:
    data = AvroSchema(Old).encode(Old(x=5))
    writer = AvroSchema(Old).schema_info().schema()
    assert AvroSchema(New).decode_as(data, writer) == New(x=5, y="none")


def test_a_definition_without_a_class_takes_dictionaries() -> None:
    definition = Old.schema()
    schema: AvroSchema[dict[str, Any]] = AvroSchema(None, definition)
    assert schema.decode(schema.encode({"x": 3})) == {"x": 3}
    with pytest.raises(TypeError):
        schema.encode(Old(x=3))  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"\xff" * 20])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(SchemaError):
        AvroSchema(Old).decode(data)


@pytest.mark.parametrize("writer", ["", "{", json.dumps({"type": "no such type"})])
def test_other_definitions_are_refused(writer: str) -> None:
    with pytest.raises(SchemaError, match="definition"):
        AvroSchema(Old).decode_as(b"\x02", writer)


def test_a_required_value_that_is_missing_is_refused() -> None:
    with pytest.raises(SchemaError, match="does not fit"):
        AvroSchema(Old).encode(Old())


def test_a_class_or_a_definition_is_needed() -> None:
    with pytest.raises(SchemaError, match="needs a class"):
        AvroSchema(None)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastavro", None)
    with pytest.raises(MissingExtraError, match=r"avro needs .* pip install fastavro$"):
        AvroSchema(Old)
