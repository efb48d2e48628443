"""Schemas of bytes, texts and JSON records."""

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Generic, TypeVar

from magnetar_proto import pulsar_api_pb2 as api

from magnetar.schema.errors import SchemaError
from magnetar.schema.plain import shape_of

T = TypeVar("T")


class SchemaType(IntEnum):
    """Kinds of schema that this client has; the numbers are the official ones."""

    BYTES = -1
    NONE = 0
    STRING = 1
    JSON = 2
    AVRO = 4


_WIRE_TYPES: Final = {
    SchemaType.STRING: api.Schema.String,
    SchemaType.JSON: api.Schema.Json,
    SchemaType.AVRO: api.Schema.Avro,
}


@dataclass(frozen=True, slots=True)
class SchemaInfo:
    """What the broker is told about a schema."""

    kind: SchemaType
    title: str
    text: str

    def schema_type(self) -> SchemaType:
        """Which kind it is."""
        return self.kind

    def name(self) -> str:
        """Its name."""
        return self.title

    def schema(self) -> str:
        """Its definition, as JSON."""
        return self.text

    def to_wire(self) -> api.Schema | None:
        """As it stands in a command; None for bytes, which no broker checks."""
        if self.kind not in _WIRE_TYPES:
            return None
        return api.Schema(
            name=self.title,
            schema_data=self.text.encode(),
            type=_WIRE_TYPES[self.kind],
        )


class Schema(Generic[T]):
    """Between values and the bytes of messages."""

    def __init__(self, kind: SchemaType, name: str, definition: Any) -> None:
        self._info = SchemaInfo(kind, name, json.dumps(definition, indent=True))

    def schema_info(self) -> SchemaInfo:
        """What the broker is told."""
        return self._info

    def to_wire(self) -> api.Schema | None:
        """As it stands in a command; None for bytes, which no broker checks."""
        return self._info.to_wire()

    def encode(self, value: T) -> bytes:
        """The bytes of a message.

        Raises:
            TypeError: the value is of another type.
            SchemaError: the value has no form in this schema.
        """
        raise NotImplementedError

    def decode(self, data: bytes) -> T:
        """The value of a message.

        Raises:
            SchemaError: the bytes are not of this schema.
        """
        raise NotImplementedError

    def decode_as(self, data: bytes, writer: str) -> T:
        """The value of a message that was written with another version of the schema.

        Args:
            data: the bytes of the message.
            writer: the definition it was written with.

        Raises:
            SchemaError: the bytes are not of that schema, or it does not fit this one.
        """
        return self.decode(data)

    def __str__(self) -> str:
        return type(self).__name__


class BytesSchema(Schema[bytes]):
    """Bytes as they are; the default."""

    def __init__(self) -> None:
        super().__init__(SchemaType.BYTES, "BYTES", None)

    def encode(self, value: bytes) -> bytes:
        return check_type(value, bytes)

    def decode(self, data: bytes) -> bytes:
        return data


class StringSchema(Schema[str]):
    """Texts in UTF-8."""

    def __init__(self) -> None:
        super().__init__(SchemaType.STRING, "STRING", None)

    def encode(self, value: str) -> bytes:
        return check_type(value, str).encode()

    def decode(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise SchemaError(f"{len(data)} bytes are no text: {error}") from error


class JsonSchema(Schema[T]):
    """Records or dataclasses as JSON."""

    def __init__(self, record_cls: type[T]) -> None:
        """Args:
        record_cls: a `Record` class or a dataclass.

        Raises:
            SchemaError: it is neither, or has a field without a type in Avro.
        """
        self._class = record_cls
        self._shape = shape_of(record_cls)
        super().__init__(SchemaType.JSON, "JSON", self._shape.definition())

    def encode(self, value: T) -> bytes:
        plain = self._shape.to_plain(check_type(value, self._class), json=True)
        return json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode()

    def decode(self, data: bytes) -> T:
        try:
            plain = json.loads(data)
        except ValueError as error:
            raise SchemaError(f"{len(data)} bytes are not JSON: {error}") from error
        if not isinstance(plain, dict):
            raise SchemaError(f"a JSON {type(plain).__name__} is no {self._class.__name__}")
        value: T = self._shape.from_plain(plain, json=True)
        return value


def check_type(value: T, expected: type[T]) -> T:
    """The value, if it is of the type that a schema takes.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, expected):
        raise TypeError(f"the schema takes {expected.__name__}, not {type(value).__name__}")
    return value
