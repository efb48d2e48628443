"""Entries as they come from the broker: opened, decompressed, cut into messages, chunks joined."""

from collections.abc import Callable
from struct import Struct
from struct import error as StructError
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.crc import crc32c
from magnetar_proto.errors import PayloadError
from magnetar_proto.payloads import check_payload, parse_metadata, split_broker_entry

from magnetar.compression import Codec, make_codec

_unpack_size: Final = Struct(">I").unpack_from
_unpack_checked: Final = Struct(">II").unpack_from
_parse_metadata: Final = api.MessageMetadata.FromString
_CHECKSUM: Final = b"\x0e\x01"
_CHECKED_HEAD_BYTES: Final = 10
_COPIED_BYTES: Final = 4096  # up to here a copy costs less than a memoryview
_SIZE_KEY: Final = 0x18
_SEQUENCE_KEY: Final = 0x40
_MORE: Final = 0x80

Place = tuple[int, int]
"""Ledger and entry."""

Single = tuple[bytes | api.SingleMessageMetadata, bytes]
"""The metadata of a message in a batch, and its content."""


class Whole(NamedTuple):
    """A message that was sent in chunks."""

    metadata: api.MessageMetadata
    content: bytes
    places: list[Place]
    """Of its first chunk, of others also those that were sent twice, and of its last one."""


class Decompressor:
    """Keeps a codec of each kind that occurs."""

    def __init__(self) -> None:
        self._codecs: dict[int, Codec] = {}

    def __call__(self, metadata: api.MessageMetadata, body: bytes) -> bytes:
        """The body in the clear.

        Raises:
            PayloadError: it cannot be read.
            MissingExtraError: the library for it is not installed.
        """
        kind = metadata.compression
        if not kind:
            return body
        codec = self._codecs.get(kind)
        if codec is None:
            codec = self._codecs[kind] = make_codec(kind)
        return codec.decompress(body, metadata.uncompressed_size)


def open_payload(payload: bytes) -> tuple[api.MessageMetadata, bytes]:
    """The metadata of an entry and its body, as the producer sent it.

    Raises:
        PayloadError: it is damaged.
    """
    if payload[:2] == _CHECKSUM:  # the usual form, with the least of copies
        return _open_checked(payload)
    _, start = split_broker_entry(payload)
    if start:
        payload = payload[start:]
    if not check_payload(payload):
        raise PayloadError("the checksum does not match")
    metadata, start = parse_metadata(payload)
    return metadata, payload[start:]


def _open_checked(payload: bytes) -> tuple[api.MessageMetadata, bytes]:
    try:
        crc, size = _unpack_checked(payload, 2)
        start = _CHECKED_HEAD_BYTES + size
        covered = payload[6:] if len(payload) < _COPIED_BYTES else memoryview(payload)[6:]
        if crc32c(covered) != crc:
            raise PayloadError("the checksum does not match")
        metadata = _parse_metadata(payload[_CHECKED_HEAD_BYTES:start])
    except (DecodeError, StructError) as error:
        raise PayloadError(f"unreadable message metadata: {error}") from error
    if start > len(payload) or not metadata.IsInitialized():
        raise PayloadError("message metadata is not complete")
    return metadata, payload[start:]


def split(body: bytes, count: int) -> list[Single]:
    """The messages of a batch, their metadata parsed only where it is not of the plain form.

    Raises:
        PayloadError: the body does not hold `count` messages and nothing else.
    """
    messages: list[Single] = []
    position, end = 0, len(body)
    try:
        for _ in range(count):
            start = position + 4
            head_end = start + _unpack_size(body, position)[0]
            head = body[start:head_end]
            size = _plain_size(head)
            if size < 0:
                parsed = api.SingleMessageMetadata.FromString(head)
                position = head_end + parsed.payload_size
                messages.append((parsed, body[head_end:position]))
            else:
                position = head_end + size
                messages.append((head, body[head_end:position]))
            if not head_end <= position <= end:
                raise PayloadError(f"message {len(messages)} of {count} is longer than its batch")
    except (DecodeError, IndexError, StructError) as error:
        raise PayloadError(f"unreadable batch of {count} messages: {error}") from error
    if position != end:
        raise PayloadError(f"batch of {count} messages has {end - position} bytes too many")
    return messages


def _plain_size(head: bytes) -> int:
    """The content's size if a head begins with it and has a sequence id at most; -1 otherwise."""
    if len(head) < 2 or head[0] != _SIZE_KEY:
        return -1
    size, shift, index = 0, 0, 1
    while True:
        byte = head[index]
        index += 1
        size |= (byte & 0x7F) << shift
        if byte < _MORE:
            break
        shift += 7
    return size if index == len(head) or head[index] == _SEQUENCE_KEY else -1


class _Chunks:
    __slots__ = ("metadata", "parts", "places")

    def __init__(self, metadata: api.MessageMetadata) -> None:
        self.metadata = metadata
        self.parts: list[bytes] = []
        # In order, each once; those of chunks that were sent again included.
        self.places: dict[Place, None] = {}

    def begin_again(self, metadata: api.MessageMetadata, first: Place) -> None:
        """The first chunk came once more: only the places are kept, to be acknowledged."""
        self.metadata = metadata
        self.parts.clear()
        self.places = {first: None, **self.places}


class ChunkBuffer:
    """Messages of which not all chunks are there.

    Args:
        limit: how many messages; the oldest gives way. 0 is no limit.
        give_up: told of the chunks of a message that is dropped.
    """

    def __init__(self, limit: int, give_up: Callable[[list[Place]], None]) -> None:
        self._limit = limit
        self._give_up = give_up
        self._messages: dict[str, _Chunks] = {}

    def add(self, metadata: api.MessageMetadata, body: bytes, place: Place) -> Whole | None:
        """Take a chunk; gives the message if it was its last."""
        chunks = self._messages.get(metadata.uuid)
        if metadata.chunk_id == 0:
            if chunks is None:
                self._make_room()
                chunks = self._messages[metadata.uuid] = _Chunks(metadata)
            chunks.begin_again(metadata, place)
        if chunks is None:
            return None  # its beginning was given up, or is before where this began
        chunks.places[place] = None
        if metadata.chunk_id < len(chunks.parts):
            return None  # a repetition
        if metadata.chunk_id > len(chunks.parts):
            del self._messages[metadata.uuid]
            self._give_up(list(chunks.places))
            return None
        chunks.parts.append(body)
        if len(chunks.parts) < metadata.num_chunks_from_msg:
            return None
        del self._messages[metadata.uuid]
        return Whole(metadata, b"".join(chunks.parts), list(chunks.places))

    def first_of(self, uuid: str) -> Place | None:
        """Where the first chunk of a message is that is not whole yet."""
        chunks = self._messages.get(uuid)
        return next(iter(chunks.places)) if chunks is not None else None

    def clear(self) -> None:
        """Forget all."""
        self._messages.clear()

    def _make_room(self) -> None:
        if self._limit and len(self._messages) >= self._limit:
            oldest = next(iter(self._messages))
            self._give_up(list(self._messages.pop(oldest).places))
