"""Records and dataclasses as plain values (dictionaries, lists, texts, numbers), and back."""

import base64
import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, Protocol, TypeVar, cast

from magnetar.schema.errors import SchemaError
from magnetar.schema.fields import Definition
from magnetar.schema.record import Record

T = TypeVar("T")

_PRIMITIVES: Final[dict[type, str]] = {
    bool: "boolean",
    int: "long",
    float: "double",
    str: "string",
    bytes: "bytes",
}


class Shape(Protocol):
    """How instances of one class become plain values, for JSON or for Avro."""

    def definition(self) -> Definition:
        """The definition of the class in Avro's JSON form."""

    def to_plain(self, value: Any, *, json: bool) -> Any:
        """An instance as plain values; for JSON without bytes."""

    def from_plain(self, plain: dict[str, Any], *, json: bool) -> Any:
        """An instance from what `to_plain` gave.

        Raises:
            SchemaError: the values do not fit the class.
        """


def shape_of(record_class: type) -> Shape:
    """The shape of a `Record` class or a dataclass.

    Raises:
        SchemaError: it is neither, or has an attribute of a type without a place in Avro.
    """
    if issubclass(record_class, Record):
        return _RecordShape(record_class)
    if dataclasses.is_dataclass(record_class):
        return _DataclassShape(record_class)
    raise SchemaError(f"{record_class.__name__} is neither a Record nor a dataclass")


class _RecordShape:
    """As the official client writes records: enums as values and bytes as text in JSON."""

    def __init__(self, record_class: type[Record]) -> None:
        self._class = record_class

    def definition(self) -> Definition:
        return self._class.schema()

    def to_plain(self, value: Any, *, json: bool) -> Any:
        if isinstance(value, Record):
            return {name: self.to_plain(item, json=json) for name, item in value.values().items()}
        if isinstance(value, list):
            return [self.to_plain(item, json=json) for item in value]
        if isinstance(value, Mapping):
            return {key: self.to_plain(item, json=json) for key, item in value.items()}
        if isinstance(value, Enum):
            return value.value if json else value.name
        if json and isinstance(value, bytes):
            try:
                return value.decode()
            except UnicodeDecodeError as error:
                raise SchemaError(
                    f"{self._class.__name__} has bytes that are no UTF-8, which JSON cannot hold;"
                    " use AvroSchema"
                ) from error
        return value

    def from_plain(self, plain: dict[str, Any], *, json: bool) -> Any:
        try:
            return self._class(**plain)
        except TypeError as error:
            raise SchemaError(f"{self._class.__name__}: {error}") from error


class _DataclassShape:
    """Annotations as Avro types; in JSON enums by name and bytes in base64, as Java writes them."""

    def __init__(self, record_class: type) -> None:
        self._class = record_class
        self._definition = _define_class(record_class, set())

    def definition(self) -> Definition:
        return self._definition

    def to_plain(self, value: Any, *, json: bool) -> Any:
        if dataclasses.is_dataclass(value):
            return {
                field.name: self.to_plain(getattr(value, field.name), json=json)
                for field in dataclasses.fields(value)
            }
        if isinstance(value, list):
            return [self.to_plain(item, json=json) for item in value]
        if isinstance(value, Mapping):
            return {key: self.to_plain(item, json=json) for key, item in value.items()}
        if isinstance(value, Enum):
            return value.name
        return base64.b64encode(value).decode() if json and isinstance(value, bytes) else value

    def from_plain(self, plain: dict[str, Any], *, json: bool) -> Any:
        try:
            return _build(self._class, plain, json=json)
        except (TypeError, KeyError, ValueError) as error:
            raise SchemaError(f"{self._class.__name__}: {error}") from error


def _define_class(record_class: type, defined_names: set[str]) -> Definition:
    name = record_class.__name__
    if name in defined_names:
        return name
    defined_names.add(name)
    hints = typing.get_type_hints(record_class)
    fields = []
    for field in dataclasses.fields(record_class):
        row: dict[str, Any] = {
            "name": field.name,
            "type": _define_hint(hints[field.name], defined_names, f"{name}.{field.name}"),
        }
        told, default = _told_default(field)
        if told:
            row["default"] = default
        fields.append(row)
    return {"type": "record", "name": name, "fields": fields}


def _define_hint(hint: Any, defined_names: set[str], place: str) -> Definition:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if _is_optional(hint):
        return ["null", _define_hint(_without_none(hint), defined_names, place)]
    if origin is list:
        return {"type": "array", "items": _define_hint(arguments[0], defined_names, place)}
    if origin is dict and arguments[0] is str:
        return {"type": "map", "values": _define_hint(arguments[1], defined_names, place)}
    if hint in _PRIMITIVES:
        return _PRIMITIVES[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _define_enum(hint, defined_names)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _define_class(hint, defined_names)
    raise SchemaError(
        f"{place}: {hint} has no place in a schema; use bool, int, float, str, bytes, list[...],"
        " dict[str, ...], an enum, a dataclass, or one of these with None"
    )


def _define_enum(enum_type: type[Enum], defined_names: set[str]) -> Definition:
    name = enum_type.__name__
    if name in defined_names:
        return name
    defined_names.add(name)
    return {"type": "enum", "name": name, "symbols": [member.name for member in enum_type]}


def _told_default(field: "dataclasses.Field[Any]") -> tuple[bool, Any]:
    default = field.default
    if isinstance(default, Enum):
        return True, default.name
    # Avro writes the default of bytes in a form of its own, and what a factory makes is unknown.
    return (default is None or isinstance(default, bool | int | float | str)), default


def _is_optional(hint: Any) -> bool:
    """Whether a hint is a type or None; any other union has no place."""
    arguments = typing.get_args(hint)
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return union and len(arguments) == 2 and type(None) in arguments


def _without_none(hint: Any) -> Any:
    return next(each for each in typing.get_args(hint) if each is not type(None))


def _build(hint: Any, plain: Any, *, json: bool) -> Any:
    if _is_optional(hint):
        return None if plain is None else _build(_without_none(hint), plain, json=json)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return [_build(arguments[0], item, json=json) for item in plain]
    if origin is dict:
        return {key: _build(arguments[1], item, json=json) for key, item in plain.items()}
    if issubclass(hint, Enum):
        return hint[plain]
    if dataclasses.is_dataclass(hint):
        return _build_instance(cast("type[Any]", hint), plain, json=json)
    if hint is bytes and json:
        return base64.b64decode(plain, validate=True)
    return _checked(hint, plain)


def _build_instance(record_class: type[T], plain: dict[str, Any], *, json: bool) -> T:
    hints = typing.get_type_hints(record_class)
    make: Callable[..., T] = record_class
    names = [field.name for field in dataclasses.fields(record_class)]  # type: ignore[arg-type]
    return make(
        **{name: _build(hints[name], plain[name], json=json) for name in names if name in plain}
    )


def _checked(hint: type, plain: Any) -> Any:
    accepted = (int, float) if hint is float else hint
    if not isinstance(plain, accepted) or (isinstance(plain, bool) and hint is not bool):
        raise TypeError(f"{plain!r} is not of type {hint.__name__}")
    return float(plain) if isinstance(plain, int) and hint is float else plain
