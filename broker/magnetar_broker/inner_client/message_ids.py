"""Ids of messages as web clients see them."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode

from google.protobuf.message import DecodeError
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.varints import signed, varint


class MessageIdError(ValueError):
    """A text that is no id of a message."""


def id_text(place: api.MessageIdData) -> str:
    """Base64 of the protocol's form, as Pulsar's clients serialise it: what is -1 is left out."""
    if place.partition >= 0 or not place.HasField("partition"):
        return b64encode(place.SerializeToString()).decode()
    bare = api.MessageIdData()
    bare.CopyFrom(place)
    bare.ClearField("partition")
    return b64encode(bare.SerializeToString()).decode()


def stored_ids(count: int, ledger_id: int, entry_id: int, partition: int) -> list[str]:
    """As `id_text`: of a message by itself, or of all in a batch; these without its size, as
    Pulsar's producers say it."""
    place = b"\x08" + varint(ledger_id) + b"\x10" + varint(entry_id)
    if partition >= 0:
        place += b"\x18" + varint(partition)
    if count == 1:
        return [b64encode(place).decode()]
    return [b64encode(place + b"\x20" + varint(index)).decode() for index in range(count)]


def id_of(text: str) -> api.MessageIdData:
    """The reverse. Raises MessageIdError."""
    try:
        found = api.MessageIdData.FromString(b64decode(text, validate=True))
    except (binascii.Error, DecodeError, ValueError) as error:
        raise MessageIdError(f"'{text}' is not the id of a message") from error
    if not found.IsInitialized() or found.batch_size > 1 << 20:
        raise MessageIdError(f"'{text}' is not the id of a message")
    return found


def pulsar_texts(count: int, ledger_id: int, entry_id: int, partition: int) -> list[str]:
    """As `pulsar_text`, of a message by itself, or of all in a batch."""
    text = f"{signed(ledger_id)}:{signed(entry_id)}:{partition}"
    return [text] if count == 1 else [f"{text}:{index}" for index in range(count)]


def pulsar_text(place: api.MessageIdData) -> str:
    """`ledger:entry:partition[:index]`, as Pulsar prints ids."""
    text = f"{place.ledgerId}:{place.entryId}:{place.partition}"
    return text if place.batch_index < 0 else f"{text}:{place.batch_index}"
