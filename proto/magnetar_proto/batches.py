"""Batches: several messages as the body of one payload, for tools, tests and clients.

    number of messages times: u32 size | SingleMessageMetadata | body

A broker never opens one. The body must be decompressed and decrypted already.
"""

from collections.abc import Iterable
from struct import Struct
from typing import Final

from google.protobuf.message import DecodeError

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.errors import PayloadError

_SIZE_BYTES: Final = 4
_unpack_size: Final = Struct(">I").unpack_from
_pack_size: Final = Struct(">I").pack

SingleMessage = tuple[api.SingleMessageMetadata, bytes]


def split_batch(body: bytes, count: int) -> list[SingleMessage]:
    """The messages of a batch.

    Args:
        body: what stands behind the metadata, in the clear.
        count: `num_messages_in_batch` of the metadata.

    Raises:
        PayloadError: the body does not hold `count` messages and nothing else.
    """
    messages: list[SingleMessage] = []
    position = 0
    while len(messages) < count:
        metadata, start = _single_metadata(body, position)
        position = start + metadata.payload_size
        if metadata.payload_size < 0 or position > len(body):
            raise PayloadError(f"message {len(messages)} of {count} is longer than its batch")
        messages.append((metadata, body[start:position]))
    if position != len(body):
        raise PayloadError(f"batch of {count} messages has {len(body) - position} bytes too many")
    return messages


def join_batch(messages: Iterable[SingleMessage]) -> bytes:
    """The body of a batch; sets each `payload_size`."""
    parts: list[bytes] = []
    for metadata, body in messages:
        metadata.payload_size = len(body)
        data = metadata.SerializeToString()
        parts += (_pack_size(len(data)), data, body)
    return b"".join(parts)


def _single_metadata(body: bytes, position: int) -> tuple[api.SingleMessageMetadata, int]:
    start = position + _SIZE_BYTES
    if start > len(body):
        raise PayloadError("batch ends between its messages")
    end = start + int(_unpack_size(body, position)[0])
    if end > len(body):
        raise PayloadError("batch ends in the metadata of a message")
    try:
        metadata = api.SingleMessageMetadata.FromString(body[start:end])
    except DecodeError as error:
        raise PayloadError(f"unreadable metadata of a message in a batch: {error}") from error
    if not metadata.IsInitialized():
        raise PayloadError("message in a batch without its size")
    return metadata, end
