"""The fields of a record: their types in Avro, and the values that they take."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, ClassVar, Generic, Self, TypeVar, cast, overload

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

Definition = str | dict[str, Any] | list[Any]
"""A schema in Avro's JSON form."""


class Field(Generic[T]):
    """One field of a record.

    As an attribute of a record's class it is the field, of an instance the value.
    """

    avro_type: ClassVar[str]
    python_types: ClassVar[tuple[type, ...]]

    def __init__(
        self, default: T | None = None, required: bool = False, required_default: bool = False
    ) -> None:
        """Args:
        default: the value where none is given.
        required: None is refused, and the definition has the bare type instead of a union.
        required_default: the definition tells the default.

        Raises:
            TypeError: the default is not of the field's type.
        """
        self.name = "default"
        self.required = False  # a default of None is none
        self._default: T | None = None
        self._default = None if default is None else self.validate_type("default", default)
        self.required = required
        self.in_definition = required_default

    def default(self) -> T | None:
        """The value where none is given."""
        return self._default

    def required_default(self) -> bool:
        """Whether the definition tells the default."""
        return self.in_definition

    def schema(self) -> Definition:
        """Its type by itself, in Avro's JSON form."""
        return self.schema_info(set())

    def schema_info(self, defined_names: set[str]) -> Definition:
        """Its type in a definition.

        Args:
            defined_names: records and enums that stand before it, which are only named again; its
                own are added.
        """
        return self.avro_type

    def validate_type(self, name: str, value: Any) -> T | None:
        """The value as the field keeps it.

        Raises:
            TypeError: it is not of the field's type, or is None in a field that is required.
        """
        if value is None and not self.required:
            return self.default()
        return self._convert(name, value)

    def _convert(self, name: str, value: Any) -> T:
        if not isinstance(value, self.python_types):
            expected = " or ".join(kind.__name__ for kind in self.python_types)
            raise TypeError(
                f"field '{name}': {type(value).__name__} {value!r} is not of type {expected}"
            )
        return cast("T", value)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T | None: ...
    def __get__(self, instance: object | None, owner: type) -> Self | T | None:
        if instance is None:
            return self
        value: T | None = instance.__dict__[self.name]
        return value

    def __set__(self, instance: object, value: T | None) -> None:
        instance.__dict__[self.name] = self.validate_type(self.name, value)


class Null(Field[None]):
    """Nothing but None."""

    avro_type = "null"
    python_types = (type(None),)


class Boolean(Field[bool]):
    """True or false; false where nothing is given."""

    avro_type = "boolean"
    python_types = (bool,)

    def default(self) -> bool:
        return bool(self._default)


class Integer(Field[int]):
    """A whole number of 32 bits."""

    avro_type = "int"
    python_types = (int,)


class Long(Field[int]):
    """A whole number of 64 bits."""

    avro_type = "long"
    python_types = (int,)


class Float(Field[float]):
    """A floating-point number of 32 bits."""

    avro_type = "float"
    python_types = (float, int)


class Double(Field[float]):
    """A floating-point number of 64 bits."""

    avro_type = "double"
    python_types = (float, int)


class Bytes(Field[bytes]):
    """Bytes; a text becomes its UTF-8."""

    avro_type = "bytes"
    python_types = (bytes, str)

    def _convert(self, name: str, value: Any) -> bytes:
        checked: bytes | str = super()._convert(name, value)
        return checked.encode() if isinstance(checked, str) else checked


class String(Field[str]):
    """A text; bytes are read as UTF-8."""

    avro_type = "string"
    python_types = (str, bytes)

    def _convert(self, name: str, value: Any) -> str:
        checked: bytes | str = super()._convert(name, value)
        return checked.decode() if isinstance(checked, bytes) else checked


class CustomEnum(Field[E]):
    """A member of an enum. Its name or its value will do."""

    avro_type = "enum"

    def __init__(
        self,
        enum_type: type[E],
        default: E | None = None,
        required: bool = False,
        required_default: bool = False,
    ) -> None:
        """Args:
        enum_type: the enum; its names are the symbols in Avro.
        default: the value where none is given.
        required: None is refused.
        required_default: the definition tells the default.
        """
        if not issubclass(enum_type, Enum):
            raise TypeError(f"{enum_type.__name__} is not an enum")
        self.enum_type = enum_type
        super().__init__(default, required, required_default)

    def schema_info(self, defined_names: set[str]) -> Definition:
        name = self.enum_type.__name__
        if name in defined_names:
            return name
        defined_names.add(name)
        return {
            "type": "enum",
            "name": name,
            "symbols": [member.name for member in self.enum_type],
        }

    def _convert(self, name: str, value: Any) -> E:
        if isinstance(value, self.enum_type):
            return value
        if isinstance(value, str) and value in self.enum_type.__members__:
            return self.enum_type.__members__[value]
        try:
            return self.enum_type(value)
        except ValueError:
            known = ", ".join(self.enum_type.__members__)
            raise TypeError(f"field '{name}': {value!r} is none of {known}") from None


class Array(Field[list[Any]]):
    """A list of values of one type."""

    avro_type = "array"
    python_types = (list,)

    def __init__(
        self,
        array_type: Any,
        default: list[Any] | None = None,
        required: bool = False,
        required_default: bool = False,
    ) -> None:
        """Args:
        array_type: a field, or a record class or instance.
        default: the value where none is given.
        required: None is refused.
        required_default: the definition tells the default.
        """
        self.array_type = as_field(array_type)
        super().__init__(default, required, required_default)

    def schema_info(self, defined_names: set[str]) -> Definition:
        return {"type": "array", "items": self.array_type.schema_info(defined_names)}

    def _convert(self, name: str, value: Any) -> list[Any]:
        # An item is never null in Avro, whatever its field allows.
        return [
            self.array_type._convert(f"{name}[{index}]", item)
            for index, item in enumerate(super()._convert(name, value))
        ]


class Map(Field[dict[str, Any]]):
    """Values of one type by text."""

    avro_type = "map"
    python_types = (Mapping,)

    def __init__(
        self,
        value_type: Any,
        default: dict[str, Any] | None = None,
        required: bool = False,
        required_default: bool = False,
    ) -> None:
        """Args:
        value_type: a field, or a record class or instance.
        default: the value where none is given.
        required: None is refused.
        required_default: the definition tells the default.
        """
        self.value_type = as_field(value_type)
        super().__init__(default, required, required_default)

    def schema_info(self, defined_names: set[str]) -> Definition:
        return {"type": "map", "values": self.value_type.schema_info(defined_names)}

    def _convert(self, name: str, value: Any) -> dict[str, Any]:
        entries: Mapping[Any, Any] = super()._convert(name, value)
        for key in entries:
            if not isinstance(key, str):
                raise TypeError(f"field '{name}': key {key!r} is not of type str")
        return {
            key: self.value_type._convert(f"{name}[{key!r}]", item) for key, item in entries.items()
        }


def as_field(declared: Any) -> Field[Any]:
    """The field that a declaration means: a field itself, an enum, a record class or instance.

    Raises:
        TypeError: it is nothing of these.
    """
    if isinstance(declared, Field):
        return declared
    if isinstance(declared, type) and issubclass(declared, Enum):
        return CustomEnum(declared)
    make = getattr(declared, "_as_field", None)
    if make is not None:
        field: Field[Any] = make() if not isinstance(declared, type) else declared()._as_field()
        return field
    raise TypeError(f"{declared!r} is not a field, an enum or a record")
