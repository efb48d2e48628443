"""Records as classes: attributes, defaults, sub-records, inheritance."""

import enum
from typing import Any

import pytest
from magnetar.schema import Array, Integer, Record, String


class Kind(enum.Enum):
    one = 1


class Inner(Record):
    x = Integer(default=4)


class Outer(Record):
    name = String(required=True)
    kind = Kind
    inner = Inner
    many = Array(Inner())


def test_attributes_are_values_of_instances_and_fields_of_the_class() -> None:
    outer = Outer(name="n", kind="one", inner={"x": 1}, many=[{"x": 2}])
    assert (outer.name, outer.kind, outer.inner.x) == ("n", Kind.one, 1)
    assert outer.many == [Inner(x=2)]
    assert isinstance(Outer.name, String)


def test_a_sub_record_that_is_not_given_is_an_empty_one_of_its_own() -> None:
    one, other = Outer(name="1"), Outer(name="2")
    one.inner.x = 9
    assert other.inner == Inner(x=4)


def test_assignments_are_checked() -> None:
    outer = Outer(name="n")
    outer.name = "m"
    with pytest.raises(TypeError, match="field 'name'"):
        outer.name = 3  # type: ignore[assignment]
    with pytest.raises(TypeError, match="field 'name'"):
        outer.name = None
    with pytest.raises(AttributeError, match="no field 'nmae'"):
        outer.nmae = "typing error"  # type: ignore[attr-defined]
    assert outer.name == "m"


def test_records_of_two_classes_differ() -> None:
    class Other(Record):
        x = Integer(default=4)

    assert Inner() == Inner(x=4)
    assert Inner() != Inner(x=5)
    assert Inner() != Other()
    assert Inner() != 4


def test_a_class_inherits_fields() -> None:
    class More(Inner):
        y = Integer()

    assert More(x=1, y=2).values() == {"x": 1, "y": 2}
    definition: Any = More.schema()
    assert [field["name"] for field in definition["fields"]] == ["x", "y"]


def test_the_second_mention_of_a_record_is_its_name() -> None:
    class Twice(Record):
        a = Inner()
        b = Inner(required=True)

    definition: Any = Twice.schema()
    fields = definition["fields"]
    assert fields[0]["type"][1]["name"] == "Inner"
    assert fields[1]["type"] == "Inner"


def test_a_record_shows_its_values() -> None:
    assert repr(Inner()) == "Inner(x=4)"
