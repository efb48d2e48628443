"""What producers and consumers need of a schema."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from magnetar_proto import pulsar_api_pb2 as api

from magnetar.message import Message


@runtime_checkable
class SchemaLike(Protocol):
    """A schema: values to bytes and back, and how the broker knows it."""

    def encode(self, value: Any) -> bytes:
        """The bytes of a value."""

    def decode(self, data: bytes) -> Any:
        """The value of bytes."""


def encoder_of(schema: SchemaLike | None) -> Callable[[Any], bytes] | None:
    """What makes bytes of values; None if contents are bytes already."""
    return None if schema is None or wire_of(schema) is None else schema.encode


def decoder_of(schema: SchemaLike | None) -> Callable[[Message], Any]:
    """What makes values of messages."""
    if schema is None:
        return Message.data
    decode = schema.decode
    return lambda message: decode(message.data())


def wire_of(schema: Any) -> api.Schema | None:
    """The schema as the broker is told it; None if there is nothing to tell."""
    tell = getattr(schema, "to_wire", None)
    told: api.Schema | None = tell() if tell is not None else None
    return told
