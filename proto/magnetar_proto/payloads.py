"""What stands behind a SEND or MESSAGE command, and is stored as it is.

[u16 0x0e02 | u32 size | BrokerEntryMetadata]     only where a broker adds it
[u16 0x0e01 | u32 crc32c of all that follows]     left out by some clients
u32 size | MessageMetadata | body                 a message or a batch of messages
"""

import re
from struct import Struct
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.crc import crc32c
from magnetar_proto.errors import PayloadError

_CHECKSUM: Final = b"\x0e\x01"
_BROKER_ENTRY: Final = b"\x0e\x02"
_MAGIC_BYTES: Final = 2
_CHECKSUM_BYTES: Final = 6
_COPIED_BYTES: Final = 4096  # up to here a copy costs less than a memoryview and its slice
_SIZE_BYTES: Final = 4
_unpack_size: Final = Struct(">I").unpack_from
_pack_size: Final = Struct(">I").pack
_parse_metadata: Final = api.MessageMetadata.FromString

BrokerEntry = tuple[api.BrokerEntryMetadata | None, int]
"""Broker entry metadata, if there is any, and where the payload of the producer begins."""

_CHECKSUM_MAGIC: Final = int.from_bytes(_CHECKSUM)
_CHECKED_HEAD_BYTES: Final = _CHECKSUM_BYTES + _SIZE_BYTES
_unpack_checked_head: Final = Struct(">H4xI").unpack_from

# The first bytes of the fields `num_messages_in_batch` and `marker_type` on the wire, and the same
# in a varint that is longer than it need be. Where none of them occurs, the fields do not.
_find_count_key: Final = re.compile(bytes((0x5B, 11 << 3, 11 << 3 | 0x80, 0xA0, 0x5D))).search
# The whole key of the latter.
_find_batch_key: Final = re.compile(bytes((0x5B, 11 << 3, 11 << 3 | 0x80, 0x5D))).search
_find_marker_key: Final = re.compile(bytes((0xA0, 0x5B, 0x01, 0x81, 0x5D))).search

# The same for field `chunk_id`, whose key takes two bytes; the second may be longer too.
_find_chunk_key: Final = re.compile(bytes((29 << 3 & 0x7F | 0x80, 0x5B, 0x01, 0x81, 0x5D))).search

# The same with the first byte of field `deliver_at_time`, and that field's key.
_find_dispatch_key: Final = re.compile(
    bytes((0x5B, 11 << 3, 11 << 3 | 0x80, 0x98, 0xA0, 0x5D))
).search
_find_delay_key: Final = re.compile(bytes((0x98, 0x5B, 0x01, 0x81, 0x5D))).search


def check_payload(payload: bytes) -> bool:
    """Whether a producer's payload has the checksum that it claims; true if it claims none."""
    if payload[:_MAGIC_BYTES] != _CHECKSUM:
        return True
    if len(payload) < _CHECKSUM_BYTES:
        return False
    small = len(payload) < _COPIED_BYTES
    covered = payload[_CHECKSUM_BYTES:] if small else memoryview(payload)[_CHECKSUM_BYTES:]
    return crc32c(covered) == int.from_bytes(payload[_MAGIC_BYTES:_CHECKSUM_BYTES])


def split_broker_entry(entry: bytes) -> BrokerEntry:
    """The broker entry metadata of an entry and where the producer's payload begins.

    Raises:
        PayloadError: the entry begins as if it had such metadata, and has not.
    """
    if entry[:_MAGIC_BYTES] != _BROKER_ENTRY:
        return None, 0
    start = _MAGIC_BYTES + _SIZE_BYTES
    end = start + _size_at(entry, _MAGIC_BYTES)
    if end > len(entry):
        raise PayloadError("broker entry metadata is longer than its entry")
    try:
        return api.BrokerEntryMetadata.FromString(entry[start:end]), end
    except DecodeError as error:
        raise PayloadError(f"unreadable broker entry metadata: {error}") from error


def add_broker_entry(metadata: api.BrokerEntryMetadata) -> bytes:
    """What a broker puts in front of a producer's payload."""
    data = metadata.SerializeToString()
    return _BROKER_ENTRY + _pack_size(len(data)) + data


def parse_metadata(payload: bytes) -> tuple[api.MessageMetadata, int]:
    """The metadata of a payload and where its body begins.

    Raises:
        PayloadError: it cannot be read, or a required field is missing.
    """
    start, end = _metadata_span(payload)
    try:
        metadata = _parse_metadata(payload[start:end])
    except DecodeError as error:
        raise PayloadError(f"unreadable message metadata: {error}") from error
    if not metadata.IsInitialized():
        raise PayloadError("message metadata without a required field")
    return metadata, end


def message_count(payload: bytes) -> int:
    """How many messages a payload holds: those of its batch, or 1; 0 if it is a marker.

    Markers are for brokers: no consumer gets them.

    Raises:
        PayloadError: its metadata cannot be read.
    """
    if len(payload) >= _CHECKED_HEAD_BYTES:  # the usual form, without a copy
        magic, size = _unpack_checked_head(payload)
        end = _CHECKED_HEAD_BYTES + size
        usual = magic == _CHECKSUM_MAGIC and end <= len(payload)
        if usual and _find_count_key(payload, _CHECKED_HEAD_BYTES, end) is None:
            return 1
    start, end = _metadata_span(payload)
    data = payload[start:end]
    if _find_batch_key(data) is None and _find_marker_key(data) is None:
        return 1
    metadata = _read_metadata(data)
    return 0 if metadata.HasField("marker_type") else metadata.num_messages_in_batch or 1


class Chunk(NamedTuple):
    """One part of a chunked message."""

    chunk_id: int
    chunks: int
    uuid: str
    publish_time: int

    @property
    def is_last(self) -> bool:
        return self.chunk_id == self.chunks - 1


def chunk_of(payload: bytes) -> Chunk | None:
    """Which chunk a payload is; None if it is none, or cannot be read."""
    if len(payload) >= _CHECKED_HEAD_BYTES:  # the usual form, without a copy
        magic, size = _unpack_checked_head(payload)
        end = _CHECKED_HEAD_BYTES + size
        usual = magic == _CHECKSUM_MAGIC and end <= len(payload)
        if usual and _find_chunk_key(payload, _CHECKED_HEAD_BYTES, end) is None:
            return None
    try:
        metadata, _ = parse_metadata(payload)
    except PayloadError:
        return None
    if not metadata.HasField("chunk_id"):
        return None
    return Chunk(
        metadata.chunk_id, metadata.num_chunks_from_msg, metadata.uuid, metadata.publish_time
    )


def count_or_delay(payload: bytes) -> int:
    """As `message_count`, but minus the time of delivery (ms since the epoch) if there is one.

    A marker is -1: nothing to send, and its time has come.

    Raises:
        PayloadError: its metadata cannot be read.
    """
    if len(payload) >= _CHECKED_HEAD_BYTES:  # the usual form, without a copy
        magic, size = _unpack_checked_head(payload)
        end = _CHECKED_HEAD_BYTES + size
        usual = magic == _CHECKSUM_MAGIC and end <= len(payload)
        if usual and _find_dispatch_key(payload, _CHECKED_HEAD_BYTES, end) is None:
            return 1
    start, end = _metadata_span(payload)
    data = payload[start:end]
    keys = _find_batch_key(data) or _find_delay_key(data) or _find_marker_key(data)
    if keys is None:
        return 1
    metadata = _read_metadata(data)
    if metadata.HasField("marker_type"):
        return -1
    if metadata.deliver_at_time > 0:
        return -metadata.deliver_at_time
    return metadata.num_messages_in_batch or 1


def _read_metadata(data: bytes) -> api.MessageMetadata:
    try:
        return _parse_metadata(data)
    except DecodeError as error:
        raise PayloadError(f"unreadable message metadata: {error}") from error


def encode_payload(metadata: api.MessageMetadata, body: bytes, *, checksum: bool = True) -> bytes:
    """A payload as a producer sends it."""
    data = metadata.SerializeToString()
    covered = b"".join((_pack_size(len(data)), data, body))
    if not checksum:
        return covered
    return _CHECKSUM + _pack_size(crc32c(covered)) + covered


def _metadata_span(payload: bytes) -> tuple[int, int]:
    position = 0
    magic = payload[:_MAGIC_BYTES]
    if magic == _BROKER_ENTRY:
        position = _MAGIC_BYTES + _SIZE_BYTES + _size_at(payload, _MAGIC_BYTES)
        magic = payload[position : position + _MAGIC_BYTES]
    if magic == _CHECKSUM:
        position += _CHECKSUM_BYTES
    start = position + _SIZE_BYTES
    end = start + _size_at(payload, position)
    if end > len(payload):
        raise PayloadError(f"message metadata ends at {end} in a payload of {len(payload)} bytes")
    return start, end


def _size_at(payload: bytes, position: int) -> int:
    if position + _SIZE_BYTES > len(payload):
        raise PayloadError(f"payload of {len(payload)} bytes ends in its headers")
    return int(_unpack_size(payload, position)[0])
