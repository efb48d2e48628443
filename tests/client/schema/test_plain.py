"""Dataclasses as records: definitions, both encodings, and what has no place."""

import dataclasses
import enum
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar.schema import AvroSchema, JsonSchema, SchemaError
from magnetar.schema.plain import shape_of


class Colour(enum.Enum):
    red = 1
    green = 2


@dataclasses.dataclass
class Line:
    item: str
    count: int = 1


@dataclasses.dataclass
class Order:
    number: int
    price: float
    open: bool
    content: bytes
    colour: Colour
    lines: list[Line]
    notes: dict[str, Line]
    parent: Line | None = None


LINES = st.builds(Line, st.text(max_size=5), st.integers(-9, 9))
ORDERS = st.builds(
    Order,
    number=st.integers(-(1 << 63), (1 << 63) - 1),
    price=st.floats(allow_nan=False),
    open=st.booleans(),
    content=st.binary(max_size=9),
    colour=st.sampled_from(Colour),
    lines=st.lists(LINES, max_size=3),
    notes=st.dictionaries(st.text(max_size=3), LINES, max_size=2),
    parent=st.none() | LINES,
)


@given(ORDERS)
def test_values_come_back(order: Order) -> None:
    for schema in (JsonSchema(Order), AvroSchema(Order)):
        assert schema.decode(schema.encode(order)) == order


def test_the_definition_is_avro() -> None:
    definition: Any = shape_of(Order).definition()
    fastavro.parse_schema(definition)
    types = {field["name"]: field["type"] for field in definition["fields"]}
    assert types["number"] == "long"
    assert types["lines"]["items"]["fields"][1] == {"name": "count", "type": "long", "default": 1}
    assert types["notes"] == {"type": "map", "values": "Line"}
    assert definition["fields"][-1] == {
        "name": "parent",
        "type": ["null", "Line"],
        "default": None,
    }


def test_defaults_fill_what_an_older_writer_did_not_have() -> None:
    assert JsonSchema(Line).decode(b'{"item": "x"}') == Line("x", 1)


@pytest.mark.parametrize(
    "data",
    [b"{}", b'{"item": 3}', b'{"item": "x", "count": "y"}', b'{"item": "x", "count": true}'],
)
def test_values_that_do_not_fit_are_refused(data: bytes) -> None:
    with pytest.raises(SchemaError, match="Line"):
        JsonSchema(Line).decode(data)


@dataclasses.dataclass
class Odd:
    value: set[int]


@dataclasses.dataclass
class Either:
    value: int | str


@pytest.mark.parametrize("record_class", [Odd, Either])
def test_types_without_a_place_are_named(record_class: type) -> None:
    with pytest.raises(SchemaError, match=r"\.value: .* has no place"):
        JsonSchema(record_class)


def test_other_classes_are_refused() -> None:
    with pytest.raises(SchemaError, match="neither a Record nor a dataclass"):
        JsonSchema(int)
