"""Frames that no client should send: recorded ones with damage, and well-formed nonsense."""

import random
from collections.abc import Sequence
from struct import pack
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.commands import FIELD_OF_KIND
from magnetar_proto.frames import encode_command, encode_payload_command
from magnetar_proto.payloads import encode_payload

_WORDS = (
    "x",
    "y",
    "persistent://public/default/x",
    "non-persistent://public/default/n",
    "persistent://public/default/p-partition-1",
    "persistent://public/nowhere/x",
    "public/default",
    "persistent://",
    "s",
    "",
    "public/default/.*",
    "(",
    "\u00fc\u4e16",
)
_NUMBERS = (0, 0, 1, 1, 2, 3, 5, 100, 2**31 - 1, 2**63 - 1)
_UNSIGNED = (2**64 - 1,)
_DEPTH = 3


def mutated(rng: random.Random, pool: list[bytes]) -> bytes:
    data = bytearray(rng.choice(pool))
    for _ in range(rng.randint(1, 4)):
        way = rng.randrange(5)
        place = rng.randrange(len(data))
        if way == 0:
            data[place] = rng.randrange(256)
        elif way == 1:
            data[place] ^= 1 << rng.randrange(8)
        elif way == 2:
            del data[place : place + rng.randint(1, 8)]
        elif way == 3:
            data[place:place] = rng.randbytes(rng.randint(1, 8))
        else:
            data[:4] = pack(
                ">I", max(0, len(data) - 4)
            )  # repaired, so that the inside is looked at
        if not data:
            break
    return bytes(data)


def repaired(data: bytes) -> bytes:
    """The frame with the size that it has: a wrong one keeps a splitter from its inside."""
    return pack(">I", len(data) - 4) + data[4:] if len(data) > 4 else data


def structured(rng: random.Random, kinds: Sequence[int] = tuple(sorted(FIELD_OF_KIND))) -> bytes:
    """A command of one of these types, its required fields and some others of likely values."""
    base = api.BaseCommand()
    command = getattr(base, FIELD_OF_KIND[rng.choice(kinds)])
    _fill(command, rng, _DEPTH)
    if not isinstance(command, api.CommandSend):
        return encode_command(command)
    metadata = api.MessageMetadata()
    _fill(metadata, rng, 1)
    payload = encode_payload(metadata, rng.randbytes(rng.randint(0, 40)))
    return encode_payload_command(command, payload) + payload


def _fill(message: Message, rng: random.Random, depth: int) -> None:
    message.SetInParent()
    for field in message.DESCRIPTOR.fields:
        if not field.is_required and (depth == 0 or rng.random() < 0.6):
            continue
        count = rng.randint(1, 2) if field.is_repeated else 1
        for _ in range(count):
            _set(message, field, rng, depth)


def _set(message: Message, field: FieldDescriptor, rng: random.Random, depth: int) -> None:
    if field.message_type is not None:
        inner = getattr(message, field.name)
        _fill(inner.add() if field.is_repeated else inner, rng, depth - 1)
        return
    value = _value(field, rng)
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


def _value(field: FieldDescriptor, rng: random.Random) -> Any:
    kinds = FieldDescriptor
    if field.type == kinds.TYPE_STRING:
        return rng.choice(_WORDS)
    if field.type == kinds.TYPE_BYTES:
        return rng.randbytes(rng.randint(0, 8))
    if field.type == kinds.TYPE_BOOL:
        return rng.random() < 0.5
    if field.type == kinds.TYPE_ENUM:
        return rng.choice(field.enum_type.values).number
    if field.type in (kinds.TYPE_DOUBLE, kinds.TYPE_FLOAT):
        return rng.random()
    numbers = _NUMBERS
    if field.type in (kinds.TYPE_UINT64, kinds.TYPE_FIXED64):
        numbers += _UNSIGNED
    narrow = field.type in (kinds.TYPE_INT32, kinds.TYPE_UINT32)
    return min(rng.choice(numbers), 2**31 - 1) if narrow else rng.choice(numbers)
