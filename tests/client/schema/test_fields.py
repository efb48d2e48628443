"""Fields take what is of their type, and say what is not."""

import enum
from typing import Any

import pytest
from magnetar.schema import Array, Boolean, Bytes, CustomEnum, Double, Integer, Map, Null, Record
from magnetar.schema import String as Text
from magnetar.schema.fields import Field, as_field


class Size(enum.Enum):
    small = "S"
    large = "L"


class Inner(Record):
    x = Integer()


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        (Text(), b"abc", "abc"),
        (Bytes(), "abc", b"abc"),
        (Double(), 1, 1),
        (Boolean(), None, False),
        (Integer(default=7), None, 7),
        (CustomEnum(Size), "small", Size.small),
        (CustomEnum(Size), "L", Size.large),
        (Array(Inner()), [{"x": 1}], [Inner(x=1)]),
        (Map(Array(Inner)), {"k": [{"x": 1}]}, {"k": [Inner(x=1)]}),
        (Null(), None, None),
    ],
)
def test_values_are_kept(field: Field[Any], value: Any, kept: Any) -> None:
    assert field.validate_type("f", value) == kept


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (Integer(), "1"),
        (Integer(required=True), None),
        (Text(), 1),
        (Bytes(), 1),
        (Null(), 0),
        (CustomEnum(Size), "medium"),
        (Array(Integer()), [1, "2"]),
        (Array(Integer()), [None]),
        (Map(Integer()), {1: 1}),
        (Map(Integer()), {"k": "v"}),
        (Array(Inner()), [3]),
    ],
)
def test_values_of_other_types_are_refused(field: Field[Any], value: Any) -> None:
    with pytest.raises(TypeError, match="field 'f"):
        field.validate_type("f", value)


def test_a_default_is_checked() -> None:
    with pytest.raises(TypeError, match="default"):
        Integer(default="x")  # type: ignore[arg-type]


@pytest.mark.parametrize("declared", [3, int, "String"])
def test_declarations_of_other_kinds_are_refused(declared: object) -> None:
    with pytest.raises(TypeError, match="not a field"):
        as_field(declared)


def test_an_array_of_enums_defines_the_enum() -> None:
    # The official client writes {"items": "enum"} here, which no Avro library reads.
    assert Array(CustomEnum(Size)).schema() == {
        "type": "array",
        "items": {"type": "enum", "name": "Size", "symbols": ["small", "large"]},
    }
