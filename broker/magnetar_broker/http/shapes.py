"""Shapes of bodies and answers, as JSON schemas: what `/openapi.json` says of the calls."""

from collections.abc import Mapping
from typing import Any, Final

from magnetar_broker.http.route_table import Parameter, Shape

TEXT: Final[Shape] = {"type": "string"}
FLAG: Final[Shape] = {"type": "boolean"}
INT: Final[Shape] = {"type": "integer", "format": "int32"}
LONG: Final[Shape] = {"type": "integer", "format": "int64"}
ANYTHING: Final[Shape] = {}
OBJECT: Final[Shape] = {"type": "object"}
REASON: Final[Shape] = {
    "type": "object",
    "properties": {"reason": TEXT},
    "required": ["reason"],
}


def list_of(shape: Shape) -> Shape:
    """A list of things of one shape."""
    return {"type": "array", "items": shape}


def map_of(shape: Shape) -> Shape:
    """Names, each with a thing of one shape."""
    return {"type": "object", "additionalProperties": shape}


def record(required: Mapping[str, Shape], **optional: Shape) -> Shape:
    """An object with these fields, and maybe more."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
    }


def one_of(*shapes: Shape) -> Shape:
    """Any of these."""
    return {"anyOf": list(shapes)}


def flag_of(name: str, summary: str) -> Parameter:
    """A parameter that is true or false."""
    return Parameter(name, summary, FLAG)


TEXTS: Final = list_of(TEXT)
PROPERTIES: Final = map_of(TEXT)
MESSAGE_ID: Final = record(
    {"ledgerId": LONG, "entryId": LONG},
    partitionIndex=INT,
    batchIndex=INT,
    batchSize=INT,
)
POSITION: Final = one_of({"type": "string", "enum": ["earliest", "latest"]}, MESSAGE_ID)
"""Where a subscription begins or goes on."""

FORCE: Final = flag_of("force", "also what is in use")
AUTHORITATIVE: Final = flag_of("authoritative", "the broker that is asked is the owner to be")


def as_json(shape: Shape) -> dict[str, Any]:
    """A shape as plain dicts and lists."""
    return {key: _plain(value) for key, value in shape.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return as_json(value)
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
