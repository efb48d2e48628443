"""Records in Avro's binary form; needs the extra `avro`."""

import io
import json
from typing import Any, Final, TypeVar, cast

from magnetar.extras import load
from magnetar.schema.errors import SchemaError
from magnetar.schema.fields import Definition
from magnetar.schema.plain import Shape, shape_of
from magnetar.schema.schemas import Schema, SchemaType, check_type

T = TypeVar("T")

_MAX_WRITERS: Final = 1000
"""Versions of a schema that are kept parsed."""


class AvroSchema(Schema[T]):
    """Records, dataclasses, or dictionaries of a given definition, in Avro's binary form."""

    def __init__(
        self, record_cls: type[T] | None, schema_definition: Definition | None = None
    ) -> None:
        """Args:
        record_cls: a `Record` class or a dataclass; None for dictionaries.
        schema_definition: the definition, if there is no class.

        Raises:
            MissingExtraError: fastavro is not installed.
            SchemaError: the class or the definition cannot be used.
        """
        self._avro = load("fastavro", "avro")
        self._class = record_cls
        self._shape: Shape | None = None if record_cls is None else shape_of(record_cls)
        if self._shape is not None:
            definition = self._shape.definition()
        elif schema_definition is not None:
            definition = schema_definition
        else:
            raise SchemaError("an Avro schema needs a class or a definition")
        self._definition = definition
        self._parsed = self._parse(definition)
        self._writers: dict[str, Any] = {}
        super().__init__(SchemaType.AVRO, "AVRO", definition)

    def encode(self, value: T) -> bytes:
        if self._shape is None:
            plain: Any = check_type(cast("Any", value), dict)
        else:
            assert self._class is not None
            plain = self._shape.to_plain(check_type(value, self._class), json=False)
        buffer = io.BytesIO()
        try:
            self._avro.schemaless_writer(buffer, self._parsed, plain)
        except Exception as error:
            raise SchemaError(f"the value does not fit its definition: {error!r}") from error
        return buffer.getvalue()

    def decode(self, data: bytes) -> T:
        return self._read(data, self._parsed, None)

    def decode_as(self, data: bytes, writer: str) -> T:
        parsed = self._writers.get(writer)
        if parsed is None:
            if len(self._writers) >= _MAX_WRITERS:
                self._writers.clear()
            parsed = self._writers[writer] = self._parse_writer(writer)
        return self._read(data, parsed, self._parsed)

    def _read(self, data: bytes, writer: Any, reader: Any) -> T:
        try:
            plain = self._avro.schemaless_reader(io.BytesIO(data), writer, reader)
        except Exception as error:
            raise SchemaError(f"{len(data)} bytes are not of the schema: {error!r}") from error
        return cast(
            "T", plain if self._shape is None else self._shape.from_plain(plain, json=False)
        )

    def _parse_writer(self, writer: str) -> Any:
        try:
            definition = json.loads(writer)
        except ValueError as error:
            raise SchemaError(f"the definition of the writer is not JSON: {error}") from error
        if isinstance(definition, dict) and isinstance(self._definition, dict):
            # Schemas are told apart by topic here, not by name: a renamed class still reads.
            names = {key: self._definition.get(key) for key in ("name", "namespace")}
            definition = {**definition, **{key: name for key, name in names.items() if name}}
        return self._parse(definition)

    def _parse(self, definition: Definition) -> Any:
        try:
            return self._avro.parse_schema(definition)
        except Exception as error:
            raise SchemaError(f"the definition is not Avro: {error!r}") from error
