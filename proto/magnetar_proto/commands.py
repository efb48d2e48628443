"""Commands between their bytes and their messages.

A command travels as a `BaseCommand`: its type and, in the field numbered as the type, its message.
Here a command is its message, for example a `CommandSend`; the envelope is made and opened where
the bytes are, which costs less than a `BaseCommand` around every message.
"""

from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import DecodeError, Message

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.errors import CommandError
from magnetar_proto.varints import varint

_TYPES: Final = api.BaseCommand.DESCRIPTOR.fields_by_number
FIELD_OF_KIND: Final[dict[int, str]] = {
    number: field.name for number, field in _TYPES.items() if field.message_type is not None
}
"""The name of a type's field in `BaseCommand`."""

ENVELOPE_BYTES: Final = 4
"""Type, key and length of the short form of an envelope, which all frequent commands have."""

PAYLOAD_KINDS: Final = frozenset((api.BaseCommand.SEND, api.BaseCommand.MESSAGE))
"""Commands that are nothing without a payload."""

_KIND_TAG: Final = 1 << 3
_LENGTH_DELIMITED: Final = 2
_SHORT: Final = 0x80  # a varint below this is one byte

NOT_SHORT: Final[tuple[int, Callable[[bytes], Any], int]] = (0, api.BaseCommand.FromString, -1)


def _short_envelopes() -> dict[int, tuple[int, Callable[[bytes], Any], int]]:
    rows = {}
    for kind, name in FIELD_OF_KIND.items():
        key = kind << 3 | _LENGTH_DELIMITED
        if key >= _SHORT:
            continue
        parse = type(getattr(api.BaseCommand(), name)).FromString
        for length in range(_SHORT):
            head = _KIND_TAG << 24 | kind << 16 | key << 8 | length
            rows[head] = (kind, parse, ENVELOPE_BYTES + length)
    return rows


SHORT_ENVELOPES: Final = _short_envelopes()
"""By the first four bytes of a command: type, parser of the message, size of the whole command.

If the size is right, the message is all that stands behind the four bytes.
"""


def parse_command(data: bytes) -> tuple[int, Any]:
    """Open an envelope of any form.

    Returns:
        The type and the message.

    Raises:
        CommandError: it cannot be read, its type is unknown, or a required field is missing.
    """
    try:
        command = api.BaseCommand.FromString(data)
    except DecodeError as error:
        raise CommandError(f"unreadable command of {len(data)} bytes: {error}") from error
    if not command.HasField("type"):
        raise CommandError(f"command of {len(data)} bytes without a known type")
    kind = int(command.type)
    name = FIELD_OF_KIND[kind]
    if not command.HasField(name):
        raise CommandError(f"command {name} without its message")
    if not command.IsInitialized():
        raise CommandError(f"command {name} without a required field")
    return kind, getattr(command, name)


def _prefixes() -> dict[type[Message], bytes]:
    command = api.BaseCommand()
    return {
        type(getattr(command, name)): bytes((_KIND_TAG, kind))
        + varint(kind << 3 | _LENGTH_DELIMITED)
        for kind, name in FIELD_OF_KIND.items()
    }


_PREFIXES: Final = _prefixes()


def serialize_command(command: Message) -> bytes:
    """The bytes of a command, envelope and all.

    Args:
        command: a `BaseCommand`, or the message of a command alone.

    Raises:
        google.protobuf.message.EncodeError: a required field is missing.
    """
    body = command.SerializeToString()
    prefix = _PREFIXES.get(type(command))
    return body if prefix is None else prefix + varint(len(body)) + body
