"""Records: classes whose attributes are fields."""

from enum import Enum
from typing import Any, ClassVar, Final

from magnetar.schema.fields import Definition, Field, as_field

_OWN_NAMES: Final = frozenset(("_default", "_required", "_required_default"))


class RecordMeta(type):
    """Makes each field, enum or record that a class names one of its fields."""

    _fields: dict[str, Field[Any]]

    def __new__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> "RecordMeta":
        fields: dict[str, Field[Any]] = {}
        for base in bases:
            fields.update(getattr(base, "_fields", {}))
        for key, value in list(members.items()):
            if _is_declaration(value):
                fields[key] = members[key] = as_field(value)
        members["_fields"] = fields
        return super().__new__(cls, name, bases, members)


def _is_declaration(value: object) -> bool:
    if isinstance(value, type):
        return isinstance(value, RecordMeta) or issubclass(value, Enum)
    return isinstance(value, Field) or isinstance(type(value), RecordMeta)


class Record(metaclass=RecordMeta):
    """Base of the classes that JSON and Avro schemas are made from.

    Values that are not given are the defaults of their fields. A sub-record may be given as a
    dictionary; names that the class does not have are passed over, as they come from newer writers.
    """

    _fields: ClassVar[dict[str, Field[Any]]]
    _avro_namespace: ClassVar[str | None] = None
    _sorted_fields: ClassVar[bool] = False

    def __init__(
        self,
        default: Any = None,
        required_default: bool = False,
        required: bool = False,
        **values: Any,
    ) -> None:
        """Args:
        default: where this is a field of another record: the value where none is given.
        required_default: the same: the definition tells the default.
        required: the same: None is refused.
        **values: the values of the fields.

        Raises:
            TypeError: a value is not of its field's type.
        """
        own = self.__dict__
        own["_default"], own["_required_default"], own["_required"] = (
            default,
            required_default,
            required,
        )
        for name, field in self._fields.items():
            if name in values:
                own[name] = field.validate_type(name, values[name])
            elif isinstance(field, RecordField):
                own[name] = field.empty()
            else:
                own[name] = field.default()

    @classmethod
    def schema(cls) -> Definition:
        """The definition of the record in Avro's JSON form."""
        return cls.schema_info(set())

    @classmethod
    def schema_info(cls, defined_names: set[str]) -> Definition:
        """The definition within another: a name only if it stands in `defined_names`."""
        namespace = cls._avro_namespace
        name = cls.__name__ if namespace is None else f"{namespace}.{cls.__name__}"
        if name in defined_names:
            return name
        defined_names.add(name)
        definition: dict[str, Any] = {"type": "record", "name": cls.__name__}
        if namespace is not None:
            definition["namespace"] = namespace
        names = sorted(cls._fields) if cls._sorted_fields else cls._fields
        definition["fields"] = [_define(key, cls._fields[key], defined_names) for key in names]
        return definition

    def values(self) -> dict[str, Any]:
        """The values by field, as they are."""
        return {name: self.__dict__[name] for name in self._fields}

    def _as_field(self) -> "RecordField":
        return RecordField(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN_NAMES:
            self.__dict__[name] = value
        elif name not in self._fields:
            raise AttributeError(f"{type(self).__name__} has no field '{name}'")
        else:
            super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return type(self) is type(other) and self.values() == other.values()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.values().items())
        return f"{type(self).__name__}({values})"


class RecordField(Field[Record]):
    """A record as a field of another."""

    avro_type = "record"

    def __init__(self, declared: Record) -> None:
        """Args:
        declared: an instance, whose values are used where none is given.
        """
        own = declared.__dict__
        self.record_class = type(declared)
        self._declared = declared
        super().__init__(own["_default"], own["_required"], own["_required_default"])

    def empty(self) -> Record:
        """What a record has where its sub-record was not given: a fresh one like the declared."""
        return self.record_class(**self._declared.values())

    def schema_info(self, defined_names: set[str]) -> Definition:
        return self.record_class.schema_info(defined_names)

    def _convert(self, name: str, value: Any) -> Record:
        if isinstance(value, dict):
            return self.record_class(**value)
        if not isinstance(value, self.record_class):
            raise TypeError(
                f"field '{name}': {type(value).__name__} is not a {self.record_class.__name__}"
            )
        return value


def _define(name: str, field: Field[Any], defined_names: set[str]) -> dict[str, Any]:
    bare = field.schema_info(defined_names)
    kind = bare if field.required else ["null", bare]
    if not field.required_default():
        return {"name": name, "type": kind}
    default = field.default()
    told = default.name if isinstance(default, Enum) else default
    return {"name": name, "default": told, "type": kind}
