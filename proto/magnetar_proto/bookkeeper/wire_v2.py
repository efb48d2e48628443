"""Version 2: fixed fields, big-endian, behind a word of version, operation and flags.

    add         word | master key 20 | entry          word | status | ledger | entry id
    read        word | ledger | entry id [| key 20]   word | status | ledger | entry id | entry
    batch read  word | ledger | first id | request id | entries | bytes [| key 20]
                               word | status | ledger | first id | request id | { size | entry }*
    auth        word | AuthMessage                    word | AuthMessage

A frame given here has no length field any more; what is encoded has it.
"""

from collections.abc import Sequence
from itertools import repeat
from struct import Struct
from typing import Final

from google.protobuf.message import DecodeError

from magnetar_proto import bookkeeper_wire_pb2 as pb
from magnetar_proto.bookie import (
    ENTRY_HEADER_BYTES,
    FENCE,
    HIGH_PRIORITY,
    LAST_ENTRY,
    RECOVERY_ADD,
    Status,
)
from magnetar_proto.bookkeeper.requests import (
    VERSION_2,
    AddRequest,
    AuthRequest,
    BatchReadRequest,
    ReadRequest,
    RefusedRequest,
    Request,
)
from magnetar_proto.bookkeeper.responses import (
    AddResponse,
    AuthResponse,
    BatchReadResponse,
    ErrorResponse,
    ReadResponse,
    Response,
)
from magnetar_proto.errors import CommandError

ADD: Final = 1
READ: Final = 2
AUTH: Final = 3
BATCH_READ: Final = 7

MASTER_KEY_BYTES: Final = 20

_ADD_FLAGS: Final = RECOVERY_ADD | HIGH_PRIORITY
_READ_FLAGS: Final = FENCE | HIGH_PRIORITY

_word: Final = Struct(">I")
_add_head: Final = Struct(">I20sqq")
_sized_word: Final = Struct(">II")
_read: Final = Struct(">Iqq")
_batch_read: Final = Struct(">Iqqqiq")
_answer: Final = Struct(">Iiqq")
_sized_answer: Final = Struct(">IIiqq")
_batch_answer: Final = Struct(">Iiqqq")

_ENTRY: Final = _word.size + MASTER_KEY_BYTES
_PAYLOAD: Final = _ENTRY + ENTRY_HEADER_BYTES

_STATUSES: Final = {int(status): status for status in Status if status >= 0}
_CODES: Final = {
    status: Status.IO_ERROR if status < 0 or status is Status.UNKNOWN_LEDGER_STATE else status
    for status in Status
}
"""A client of version 2 drops the connection at a code it does not know: 107 is one."""

Buffer = bytes | memoryview


def status_code(status: Status) -> int:
    """How a status is sent; what version 2 cannot say is an IO error, never a negative."""
    return int(_CODES[status])


def decode_request(frame: Buffer) -> Request:
    """Read a request.

    Args:
        frame: without its length; nothing of it is referred to by the request.

    Raises:
        CommandError: an unknown operation, or a body that is too short or too long.
    """
    size = len(frame)
    if size < _word.size:
        raise CommandError(f"packet of {size} bytes")
    word = _word.unpack_from(frame)[0]
    operation = word >> 16 & 0xFF
    if operation == ADD:
        return _decode_add(frame, word, size)
    if operation == READ:
        return _decode_read(frame, word, size)
    if operation == BATCH_READ:
        return _decode_batch_read(frame, word, size)
    if operation == AUTH:
        name, payload = _decode_auth(frame)
        return _checked(word, AuthRequest(word >> 24, 0, name, payload))
    raise CommandError(f"packet of unknown operation {operation}")


def _decode_add(frame: Buffer, word: int, size: int) -> Request:
    if size < _add_head.size:
        raise CommandError(f"add of {size} bytes")
    _, key, ledger_id, entry_id = _add_head.unpack_from(frame)
    version = word >> 24
    if version > VERSION_2 or size < _PAYLOAD or ledger_id < 0 or entry_id < 0:
        status = Status.BAD_VERSION if version > VERSION_2 else Status.BAD_REQUEST
        return RefusedRequest(version, 0, ADD, status, ledger_id, entry_id)
    return AddRequest(
        version,
        0,
        word & _ADD_FLAGS,
        ledger_id,
        entry_id,
        key,
        bytes(frame[_ENTRY:_PAYLOAD]),
        bytes(frame[_PAYLOAD:]),
    )


def _decode_read(frame: Buffer, word: int, size: int) -> Request:
    key = _key_behind(frame, _read.size, word, size, "read")
    _, ledger_id, entry_id = _read.unpack_from(frame)
    flags = word & _READ_FLAGS
    request = ReadRequest(word >> 24, 0, flags, ledger_id, entry_id, key)
    return _checked(word, request, ledger_id, entry_id)


def _decode_batch_read(frame: Buffer, word: int, size: int) -> Request:
    key = _key_behind(frame, _batch_read.size, word, size, "batch read")
    _, ledger_id, first, request_id, entries, size_limit = _batch_read.unpack_from(frame)
    flags = word & _READ_FLAGS
    request = BatchReadRequest(
        word >> 24, flags, ledger_id, first, request_id, entries, size_limit, key
    )
    return _checked(word, request, ledger_id, first)


def _key_behind(frame: Buffer, end: int, word: int, size: int, what: str) -> bytes:
    """The master key of a fencing read; checks that the packet has the right length."""
    if size != (end + MASTER_KEY_BYTES if word & FENCE else end):
        raise CommandError(f"{what} of {size} bytes, flags {word & 0xFFFF}")
    return bytes(frame[end:])


def _checked(word: int, request: Request, ledger_id: int = 0, entry_id: int = 0) -> Request:
    version, operation = word >> 24, word >> 16 & 0xFF
    if version <= VERSION_2 and ledger_id >= 0 and entry_id >= LAST_ENTRY:
        return request
    if operation == BATCH_READ:  # its answer would need the request id
        raise CommandError(f"batch read of ledger {ledger_id}, entry {entry_id}, {version=}")
    status = Status.BAD_VERSION if version > VERSION_2 else Status.BAD_REQUEST
    return RefusedRequest(version, 0, operation, status, ledger_id, entry_id)


def _decode_auth(frame: Buffer) -> tuple[str, bytes]:
    try:
        message = pb.AuthMessage.FromString(bytes(frame[_word.size :]))
    except DecodeError as error:
        raise CommandError(f"unreadable authentication: {error}") from error
    if not message.IsInitialized():
        raise CommandError("authentication without a required field")
    return message.authPluginName, message.payload


def encode_request(request: Request, parts: list[bytes]) -> None:
    """Append a frame to what is to be written, length and all; a payload as the object it is."""
    if isinstance(request, AddRequest):
        word = request.version << 24 | ADD << 16 | request.flags & _ADD_FLAGS
        size = _ENTRY + len(request.header) + len(request.payload)
        parts.append(_sized_word.pack(size, word) + request.master_key + request.header)
        parts.append(request.payload)
    elif isinstance(request, ReadRequest):
        word = request.version << 24 | READ << 16 | request.flags & _READ_FLAGS
        body = _read.pack(word, request.ledger_id, request.entry_id)
        parts.append(_sized(body, request.master_key if word & FENCE else b""))
    elif isinstance(request, BatchReadRequest):
        word = request.version << 24 | BATCH_READ << 16 | request.flags & _READ_FLAGS
        body = _batch_read.pack(word, *request[2:-1])
        parts.append(_sized(body, request.master_key if word & FENCE else b""))
    else:
        assert isinstance(request, AuthRequest), "not an operation of version 2"
        message = _auth_bytes(request.plugin_name, request.payload)
        parts.append(_sized(_word.pack(request.version << 24 | AUTH << 16), message))


def _sized(body: bytes, rest: bytes) -> bytes:
    return _word.pack(len(body) + len(rest)) + body + rest


def _auth_bytes(name: str, payload: bytes) -> bytes:
    return pb.AuthMessage(authPluginName=name, payload=payload).SerializeToString()


def encode_response(response: Response, parts: list[bytes]) -> None:
    """Append a frame to what is to be written, length and all; entries as the objects they are."""
    if isinstance(response, AddResponse):
        _append_answer(parts, response.version << 8 | ADD, response.status, response[3:5])
    elif isinstance(response, ReadResponse):
        entry = response.entry
        _append_answer(
            parts, response.version << 8 | READ, response.status, response[3:5], entry or b""
        )
    elif isinstance(response, BatchReadResponse):
        _append_batch(response, parts)
    elif isinstance(response, AuthResponse):
        message = _auth_bytes(response.plugin_name, response.payload)
        parts.append(_sized(_word.pack(response.version << 24 | AUTH << 16), message))
    else:
        assert isinstance(response, ErrorResponse), "not an operation of version 2"
        kind = response.version << 8 | response.operation
        _append_answer(parts, kind, response.status, response[4:6])


def _append_answer(
    parts: list[bytes], kind: int, status: Status, ids: tuple[object, ...], entry: bytes = b""
) -> None:
    size = _answer.size + len(entry)
    parts.append(_sized_answer.pack(size, kind << 16, _CODES[status], *ids))
    if entry:
        parts.append(entry)


def _append_batch(response: BatchReadResponse, parts: list[bytes]) -> None:
    size = _batch_answer.size + sum(map(len, response.entries))
    size += _word.size * len(response.entries)
    word = response.version << 24 | BATCH_READ << 16
    head = _batch_answer.pack(word, _CODES[response.status], *response[2:5])
    parts.append(_word.pack(size) + head)
    for entry in response.entries:
        parts.append(_word.pack(len(entry)))
        parts.append(entry)


def encode_adds(version: int, ledger_id: int, entry_ids: Sequence[int], status: Status) -> bytes:
    """The frames that answer adds of one ledger; as `encode_response` of each, but quicker."""
    head = repeat(_answer.size), repeat(version << 24 | ADD << 16), repeat(int(_CODES[status]))
    return b"".join(map(_sized_answer.pack, *head, repeat(ledger_id), entry_ids))


def decode_response(frame: Buffer) -> Response:
    """Read a response.

    Args:
        frame: without its length; nothing of it is referred to by the response.

    Raises:
        CommandError: an unknown operation or status, or a body of a wrong length.
    """
    size = len(frame)
    if size < _word.size:
        raise CommandError(f"packet of {size} bytes")
    word = _word.unpack_from(frame)[0]
    version, operation = word >> 24, word >> 16 & 0xFF
    if operation == AUTH:
        name, payload = _decode_auth(frame)
        return AuthResponse(version, 0, Status.OK, name, payload)
    if operation == BATCH_READ:
        return _decode_batch_answer(frame, version, size)
    if operation not in (ADD, READ):
        raise CommandError(f"packet of unknown operation {operation}")
    if size < _answer.size or (operation == ADD and size > _answer.size):
        raise CommandError(f"answer of {size} bytes to operation {operation}")
    _, code, ledger_id, entry_id = _answer.unpack_from(frame)
    status = _status(code)
    if operation == ADD:
        return AddResponse(version, 0, status, ledger_id, entry_id)
    entry = bytes(frame[_answer.size :]) or None
    return ReadResponse(version, 0, status, ledger_id, entry_id, entry)


def _status(code: int) -> Status:
    status = _STATUSES.get(code)
    if status is None:
        raise CommandError(f"answer with unknown status {code}")
    return status


def _decode_batch_answer(frame: Buffer, version: int, size: int) -> BatchReadResponse:
    position = _batch_answer.size
    if size < position:
        raise CommandError(f"answer of {size} bytes to a batch read")
    _, code, ledger_id, first, request_id = _batch_answer.unpack_from(frame)
    entries: list[bytes] = []
    while position < size:
        start = position + _word.size
        end = start + _word.unpack_from(frame, position)[0] if start <= size else size + 1
        if end > size:
            raise CommandError("answer to a batch read that ends within an entry")
        entries.append(bytes(frame[start:end]))
        position = end
    return BatchReadResponse(version, _status(code), ledger_id, first, request_id, tuple(entries))
