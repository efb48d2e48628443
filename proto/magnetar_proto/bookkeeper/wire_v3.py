"""What requests and responses of version 3 share: messages read, statuses, frames made."""

from struct import Struct
from typing import Any, Final, cast

from google.protobuf.message import DecodeError, Message

from magnetar_proto import bookkeeper_wire_pb2 as pb
from magnetar_proto.bookie import Status
from magnetar_proto.errors import CommandError
from magnetar_proto.varints import varint

Buffer = bytes | memoryview

BODY_TAG: Final = b"\x22"
"""Field 4, the entry of adds and of read responses."""

_size: Final = Struct(">I")

CODES: Final = {
    Status.OK: pb.EOK,
    Status.NO_LEDGER: pb.ENOLEDGER,
    Status.NO_ENTRY: pb.ENOENTRY,
    Status.BAD_REQUEST: pb.EBADREQ,
    Status.IO_ERROR: pb.EIO,
    Status.UNAUTHORIZED: pb.EUA,
    Status.BAD_VERSION: pb.EBADVERSION,
    Status.FENCED: pb.EFENCED,
    Status.READ_ONLY: pb.EREADONLY,
    Status.TOO_MANY_REQUESTS: pb.ETOOMANYREQUESTS,
    Status.UNKNOWN_LEDGER_STATE: pb.EUNKNOWNLEDGERSTATE,
    Status.UNAVAILABLE: pb.EIO,
    Status.TIMEOUT: pb.EIO,
}
"""How a status is sent; one that ends a call here without an answer is an IO error."""

STATUSES: Final = {int(code): status for status, code in CODES.items() if status >= 0}
"""What a code means."""


def tag_of(message: type[Message], name: str) -> bytes:
    """What stands before a field that has a length."""
    return varint(message.DESCRIPTOR.fields_by_name[name].number << 3 | 2)


def parsed(kind: Any, frame: Buffer) -> Any:
    """A message of the given class.

    Raises:
        CommandError: it cannot be read, or a required field is missing.
    """
    try:
        message = kind.FromString(bytes(frame))
    except DecodeError as error:
        raise CommandError(f"unreadable message of {len(frame)} bytes: {error}") from error
    if not message.IsInitialized():
        raise CommandError(f"message of {len(frame)} bytes without a required field")
    return message


def header_of(operation: int, txn_id: int, priority: int = 0) -> pb.BKPacketHeader:
    """The header of a request, or of a response with no priority."""
    header = pb.BKPacketHeader(version=pb.VERSION_THREE, txnId=txn_id)
    header.operation = cast(pb.OperationType, operation)
    if priority:
        header.priority = priority
    return header


def append_message(parts: list[bytes], message: Message) -> None:
    """Append the frame of a message."""
    body = message.SerializeToString()
    parts.append(_size.pack(len(body)) + body)


def append_with_body(
    parts: list[bytes], outer: bytes, tag: bytes, inner: bytes, body: list[bytes], rest: bytes
) -> None:
    """Append a frame whose inner message has an entry in field 4, without copying its last part.

    Args:
        outer: what stands before the inner message.
        tag: of the inner message.
        inner: what stands before field 4.
        body: the entry in parts.
        rest: what stands behind field 4.
    """
    body_size = sum(map(len, body))
    inner += BODY_TAG + varint(body_size)
    outer += tag + varint(len(inner) + body_size + len(rest)) + inner
    size = len(outer) + body_size + len(rest)
    parts.append(_size.pack(size) + outer + b"".join(body[:-1]))
    parts.append(body[-1])
    if rest:
        parts.append(rest)


def append_sized(parts: list[bytes], message: bytes) -> None:
    """Append the frame of a message that is bytes already."""
    parts.append(_size.pack(len(message)) + message)
