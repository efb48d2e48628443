"""What a client sends for every message, made from pieces instead of through protobuf.

Byte for byte what `magnetar_proto.frames` and `magnetar_proto.payloads` make of the same, at a
fraction of the cost.
"""

from struct import Struct
from typing import Final

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.crc import crc32c
from magnetar_proto.varints import varint

_pack_size: Final = Struct(">I").pack
_pack_sizes: Final = Struct(">II").pack
_CHECKSUM: Final = b"\x0e\x01"
_SEND_ENVELOPE: Final = bytes((0x08, api.BaseCommand.SEND, api.BaseCommand.SEND << 3 | 2))


def send_head(
    producer_id: int,
    sequence_id: int,
    payload_bytes: int,
    batch_size: int = 0,
    highest_sequence_id: int = -1,
    *,
    is_chunk: bool = False,
) -> bytes:
    """What stands in front of the payload in a SEND frame."""
    body = b"\x08" + varint(producer_id) + b"\x10" + varint(sequence_id)
    if batch_size:
        body += b"\x18" + varint(batch_size)
    if highest_sequence_id >= 0:
        body += b"\x30" + varint(highest_sequence_id)
    if is_chunk:
        body += b"\x38\x01"
    command = _SEND_ENVELOPE + varint(len(body)) + body
    return _pack_sizes(4 + len(command) + payload_bytes, len(command)) + command


def with_checksum(metadata: bytes, body: bytes) -> bytes:
    """A payload of serialised metadata and a body."""
    covered = b"".join((_pack_size(len(metadata)), metadata, body))
    return b"".join((_CHECKSUM, _pack_size(crc32c(covered)), covered))


def plain_single(content_bytes: int, sequence_id: int) -> bytes:
    """The head of a message in a batch that carries nothing beside its content, which follows."""
    data = b"\x18" + varint(content_bytes) + b"\x40" + varint(sequence_id)
    return _pack_size(len(data)) + data
