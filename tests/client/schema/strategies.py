"""Record classes drawn at random, each made twice: ours and the official client's."""

import enum
from typing import Any

import magnetar.schema as ours
import pulsar.schema as official
from hypothesis import strategies as st


class Colour(enum.Enum):
    """An enum of both."""

    red = 1
    green = 2


Pair = tuple[Any, Any]
"""The same declaration for us and for the official client."""

TEXTS = st.text(max_size=8)
INTEGERS = st.integers(-(1 << 31), (1 << 31) - 1)
VALUES = {
    "String": TEXTS,
    "Integer": INTEGERS,
    "Long": st.integers(-(1 << 63), (1 << 63) - 1),
    "Float": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "Double": st.floats(allow_nan=False, allow_infinity=False),
    "Boolean": st.booleans(),
    "Bytes": TEXTS.map(str.encode),
}
NAMES = st.sampled_from(["a", "b", "c", "d", "e"])


@st.composite
def simple_fields(draw: st.DrawFn, avro: bool) -> tuple[Pair, st.SearchStrategy[Any]]:
    """A field of a primitive type and what it may hold."""
    name = draw(st.sampled_from(sorted(VALUES)))
    options: dict[str, Any] = {
        "required": draw(st.booleans()),
        "required_default": draw(st.booleans()) and name != "Bytes",
    }
    if draw(st.booleans()):
        options["default"] = draw(VALUES[name])
    if avro:  # a default that is told must be there, and fit the first type of a union
        options["required_default"] &= options["required"] and "default" in options
    pair = getattr(ours, name)(**options), getattr(official, name)(**options)
    return pair, VALUES[name]


@st.composite
def fields(
    draw: st.DrawFn, depth: int = 1, avro: bool = False
) -> tuple[Pair, st.SearchStrategy[Any]]:
    """Any field and what it may hold; records are given as dictionaries."""
    kind = draw(st.sampled_from(["simple", "simple", "array", "map", "enum", "record"]))
    required = draw(st.booleans())
    if kind == "enum":
        pair = (
            ours.CustomEnum(Colour, required=required),
            official.CustomEnum(Colour, required=required),
        )
        return pair, st.sampled_from(Colour)
    if kind == "simple" or depth == 0:
        return draw(simple_fields(avro))
    if kind == "record":
        inner, values = draw(records(depth - 1, avro))
        return (inner[0](required=required), inner[1](required=required)), values
    (mine, theirs), values = draw(fields(depth - 1, avro).filter(_may_be_an_item))
    if kind == "array":
        return (ours.Array(mine), official.Array(theirs)), st.lists(values, max_size=3)
    return (ours.Map(mine), official.Map(theirs)), st.dictionaries(TEXTS, values, max_size=3)


def _may_be_an_item(drawn: tuple[Pair, st.SearchStrategy[Any]]) -> bool:
    # The official definition of an array of enums lacks the enum; of items it checks no bytes.
    return not isinstance(drawn[0][0], ours.CustomEnum | ours.Bytes)


_numbers = iter(range(1 << 62))


@st.composite
def records(
    draw: st.DrawFn, depth: int = 1, avro: bool = False
) -> tuple[Pair, st.SearchStrategy[dict[str, Any]]]:
    """A record class, twice, and the values of its instances."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    title = f"Record{next(_numbers)}"
    extra: dict[str, Any] = {}
    if draw(st.booleans()):
        extra["_avro_namespace"] = draw(st.sampled_from(["x", "x.y"]))
    if draw(st.booleans()):
        extra["_sorted_fields"] = True
    drawn = {name: draw(fields(depth, avro)) for name in names}
    mine = type(ours.Record)(
        title, (ours.Record,), {**extra, **{name: pair[0] for name, (pair, _) in drawn.items()}}
    )
    theirs = type(official.Record)(
        title,
        (official.Record,),
        {**extra, **{name: pair[1] for name, (pair, _) in drawn.items()}},
    )
    values = st.fixed_dictionaries({name: values for name, (_, values) in drawn.items()})
    return (mine, theirs), values
