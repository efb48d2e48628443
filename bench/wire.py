"""The few Pulsar frames that the raw clients need, written by hand.

On purpose not the product's own codec: the loader must not share its mistakes, must start in a
few milliseconds, and needs what protobuf cannot give: fields of constant width that are patched
in place.
"""

import struct
from typing import Final, TypeAlias

from fastcrc.crc32 import iscsi as crc32c

from bench.errors import WireError

CONNECT, CONNECTED, SUBSCRIBE, PRODUCER, SEND, SEND_RECEIPT = 2, 3, 4, 5, 6, 7
MESSAGE, ACK, FLOW, SUCCESS, ERROR, PRODUCER_SUCCESS = 9, 10, 11, 13, 14, 17
PING, PONG, LOOKUP, LOOKUP_RESPONSE = 18, 19, 23, 24
MAGIC_CRC32C: Final = b"\x0e\x01"
PROTOCOL_VERSION: Final = 21
CUMULATIVE: Final = 1
EARLIEST: Final = 1

Value: TypeAlias = int | bytes
Fields: TypeAlias = list[tuple[int, Value]]


def varint(number: int) -> bytes:
    """`number` (negative ones as 64 bits) in protobuf's variable width."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def message(fields: Fields) -> bytes:
    """A protobuf message: ints as varints, bytes (and sub-messages) with their length."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return bytes(out)


def parse(data: bytes) -> dict[int, Value]:
    """The last value of each field; enough for the answers that the raw clients read."""
    fields: dict[int, Value] = {}
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        number, at = _read_varint(data, at)
        if key & 7 == 2:
            fields[key >> 3] = bytes(data[at : at + number])
            at += number
        elif key & 7 == 0:
            fields[key >> 3] = number
        else:
            raise WireError(f"wire type {key & 7} is not used by Pulsar's hot commands")
    return fields


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7


def command(kind: int, fields: Fields) -> bytes:
    """A whole frame without payload."""
    body = message([(1, kind), (kind, message(fields))])
    return struct.pack(">II", len(body) + 4, len(body)) + body


def payload_command(kind: int, fields: Fields, metadata: bytes, payload: bytes) -> bytes:
    """A whole frame with metadata, payload and their checksum."""
    body = message([(1, kind), (kind, message(fields))])
    tail = struct.pack(">I", len(metadata)) + metadata + payload
    checksum = MAGIC_CRC32C + struct.pack(">I", crc32c(tail))
    total = 4 + len(body) + len(checksum) + len(tail)
    return struct.pack(">II", total, len(body)) + body + checksum + tail


def parse_command(frame: bytes) -> tuple[int, dict[int, Value]]:
    """Kind and fields of a whole frame (its payload, if any, is ignored)."""
    (command_bytes,) = struct.unpack_from(">I", frame, 4)
    outer = parse(frame[8 : 8 + command_bytes])
    kind = outer[1]
    assert isinstance(kind, int)
    body = outer.get(kind, b"")
    assert isinstance(body, bytes)
    return kind, parse(body)


def connect() -> bytes:
    """CONNECT."""
    return command(CONNECT, [(1, b"magnetar-bench"), (4, PROTOCOL_VERSION)])


def lookup(topic: str, request_id: int) -> bytes:
    """LOOKUP; a Pulsar broker takes ownership of the topic's bundle on it."""
    return command(LOOKUP, [(1, topic.encode()), (2, request_id), (3, 0)])


def producer(topic: str, producer_id: int, request_id: int) -> bytes:
    """PRODUCER with a name given by the broker."""
    return command(PRODUCER, [(1, topic.encode()), (2, producer_id), (3, request_id)])


def subscribe(topic: str, name: str, consumer_id: int, request_id: int) -> bytes:
    """SUBSCRIBE: exclusive, durable, from the first message."""
    return command(
        SUBSCRIBE,
        [
            (1, topic.encode()),
            (2, name.encode()),
            (3, 0),
            (4, consumer_id),
            (5, request_id),
            (13, EARLIEST),
        ],
    )


def flow(consumer_id: int, permits: int) -> bytes:
    """FLOW."""
    return command(FLOW, [(1, consumer_id), (2, permits)])


def ack_cumulative(consumer_id: int, ledger_id: int, entry_id: int) -> bytes:
    """ACK of everything up to that entry."""
    position = message([(1, ledger_id), (2, entry_id)])
    return command(ACK, [(1, consumer_id), (2, CUMULATIVE), (3, position)])


PONG_FRAME: Final = command(PONG, [])
