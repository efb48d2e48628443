"""Version 3, requests: a protobuf message per frame; `bookkeeper_wire.proto` is the contract.

A frame given here has no length field any more; what is encoded has it.
"""

from collections.abc import Callable
from struct import Struct
from typing import Any, Final

from magnetar_proto import bookkeeper_wire_pb2 as pb
from magnetar_proto.bookie import (
    DEFERRED_SYNC,
    ENTRY_HEADER_BYTES,
    FENCE,
    HIGH_PRIORITY,
    LAST_ENTRY,
    RECOVERY_ADD,
    Status,
)
from magnetar_proto.bookkeeper import requests as req
from magnetar_proto.bookkeeper.requests import Request
from magnetar_proto.bookkeeper.wire_v3 import (
    Buffer,
    append_message,
    append_with_body,
    header_of,
    parsed,
    tag_of,
)

PRIORITY: Final = 100
"""What a request of high priority carries."""

_DEFERRED_SYNC_BIT: Final = 1
_ADD_TAG: Final = tag_of(pb.Request, "addRequest")

_ids: Final = Struct(">qq")


def decode_request(frame: Buffer) -> Request:
    """Read a request.

    Args:
        frame: without its length; nothing of it is referred to by the request.

    Raises:
        CommandError: it cannot be read, or a required field is missing.
    """
    message = parsed(pb.Request, frame)
    header = message.header
    operation, txn_id = header.operation, header.txnId
    if header.version != pb.VERSION_THREE:
        return _refused(txn_id, operation, Status.BAD_VERSION)
    name, decode = _REQUESTS.get(operation, ("", None))
    if decode is None or not message.HasField(name):
        return _refused(txn_id, operation, Status.BAD_REQUEST)
    priority = HIGH_PRIORITY if header.priority > 0 else 0
    return decode(txn_id, priority, getattr(message, name))


def _refused(
    txn_id: int, operation: int, status: Status, ledger_id: int = -1, entry_id: int = -1
) -> req.RefusedRequest:
    return req.RefusedRequest(req.VERSION_3, txn_id, operation, status, ledger_id, entry_id)


def _decode_add(txn_id: int, flags: int, message: pb.AddRequest) -> Request:
    body, ledger_id, entry_id = message.body, message.ledgerId, message.entryId
    if len(body) < ENTRY_HEADER_BYTES or _ids.unpack_from(body) != (ledger_id, entry_id):
        return _refused(txn_id, pb.ADD_ENTRY, Status.BAD_REQUEST, ledger_id, entry_id)
    if ledger_id < 0 or entry_id < 0:
        return _refused(txn_id, pb.ADD_ENTRY, Status.BAD_REQUEST, ledger_id, entry_id)
    if message.flag == pb.AddRequest.RECOVERY_ADD and message.HasField("flag"):
        flags |= RECOVERY_ADD
    if message.writeFlags & _DEFERRED_SYNC_BIT:
        flags |= DEFERRED_SYNC
    header, payload = body[:ENTRY_HEADER_BYTES], body[ENTRY_HEADER_BYTES:]
    return req.AddRequest(
        req.VERSION_3, txn_id, flags, ledger_id, entry_id, message.masterKey, header, payload
    )


def _decode_read(txn_id: int, flags: int, message: pb.ReadRequest) -> Request:
    if message.ledgerId < 0 or message.entryId < LAST_ENTRY:
        ids = message.ledgerId, message.entryId
        return _refused(txn_id, pb.READ_ENTRY, Status.BAD_REQUEST, *ids)
    if message.HasField("flag"):
        fence = message.flag == pb.ReadRequest.FENCE_LEDGER
        flags |= FENCE if fence else req.ENTRY_PIGGYBACK
    previous = message.previousLAC if message.HasField("previousLAC") else None
    return req.ReadRequest(
        req.VERSION_3,
        txn_id,
        flags,
        message.ledgerId,
        message.entryId,
        message.masterKey,
        previous,
        message.timeOut,
    )


def _decode_auth(txn_id: int, flags: int, message: pb.AuthMessage) -> Request:
    return req.AuthRequest(req.VERSION_3, txn_id, message.authPluginName, message.payload)


def _decode_write_lac(txn_id: int, flags: int, message: pb.WriteLacRequest) -> Request:
    if message.ledgerId < 0:
        return _refused(txn_id, pb.WRITE_LAC, Status.BAD_REQUEST, message.ledgerId)
    return req.WriteLacRequest(
        txn_id, message.ledgerId, message.lac, message.masterKey, message.body
    )


def _decode_read_lac(txn_id: int, flags: int, message: pb.ReadLacRequest) -> Request:
    return req.ReadLacRequest(txn_id, message.ledgerId)


def _decode_force(txn_id: int, flags: int, message: pb.ForceLedgerRequest) -> Request:
    return req.ForceLedgerRequest(txn_id, message.ledgerId)


def _decode_info(txn_id: int, flags: int, message: pb.GetBookieInfoRequest) -> Request:
    return req.BookieInfoRequest(txn_id, message.requested)


def _decode_list(txn_id: int, flags: int, message: pb.GetListOfEntriesOfLedgerRequest) -> Request:
    return req.ListEntriesRequest(txn_id, message.ledgerId)


def _decode_start_tls(txn_id: int, flags: int, message: pb.StartTLSRequest) -> Request:
    return req.StartTlsRequest(txn_id)


_REQUESTS: Final[dict[int, tuple[str, Callable[[int, int, Any], Request]]]] = {
    pb.ADD_ENTRY: ("addRequest", _decode_add),
    pb.READ_ENTRY: ("readRequest", _decode_read),
    pb.AUTH: ("authRequest", _decode_auth),
    pb.WRITE_LAC: ("writeLacRequest", _decode_write_lac),
    pb.READ_LAC: ("readLacRequest", _decode_read_lac),
    pb.FORCE_LEDGER: ("forceLedgerRequest", _decode_force),
    pb.GET_BOOKIE_INFO: ("getBookieInfoRequest", _decode_info),
    pb.GET_LIST_OF_ENTRIES_OF_LEDGER: ("getListOfEntriesOfLedgerRequest", _decode_list),
    pb.START_TLS: ("startTLSRequest", _decode_start_tls),
}


def encode_request(request: Request, parts: list[bytes]) -> None:
    """Append a frame to what is to be written, length and all; a payload as the object it is."""
    if isinstance(request, req.AddRequest):
        _encode_add(request, parts)
        return
    message = pb.Request()
    _FILL_REQUEST[type(request)](message, request)
    append_message(parts, message)


def _encode_add(request: req.AddRequest, parts: list[bytes]) -> None:
    priority = PRIORITY if request.flags & HIGH_PRIORITY else 0
    outer = pb.Request(header=header_of(pb.ADD_ENTRY, request.txn_id, priority))
    inner = pb.AddRequest(
        ledgerId=request.ledger_id, entryId=request.entry_id, masterKey=request.master_key
    )
    rest = pb.AddRequest()
    if request.flags & DEFERRED_SYNC:
        rest.writeFlags = _DEFERRED_SYNC_BIT
    if request.flags & RECOVERY_ADD:
        rest.flag = pb.AddRequest.RECOVERY_ADD
    append_with_body(
        parts,
        outer.SerializeToString(),
        _ADD_TAG,
        inner.SerializePartialToString(),
        [request.header, request.payload],
        rest.SerializePartialToString(),
    )


def _fill_read(message: pb.Request, request: req.ReadRequest) -> None:
    priority = PRIORITY if request.flags & HIGH_PRIORITY else 0
    message.header.CopyFrom(header_of(pb.READ_ENTRY, request.txn_id, priority))
    inner = message.readRequest
    inner.ledgerId, inner.entryId = request.ledger_id, request.entry_id
    if request.master_key:
        inner.masterKey = request.master_key
    if request.previous_lac is not None:
        inner.previousLAC, inner.timeOut = request.previous_lac, request.timeout_ms
    if request.flags & FENCE:
        inner.flag = pb.ReadRequest.FENCE_LEDGER
    elif request.flags & req.ENTRY_PIGGYBACK:
        inner.flag = pb.ReadRequest.ENTRY_PIGGYBACK


def _fill_auth(message: pb.Request, request: req.AuthRequest) -> None:
    message.header.CopyFrom(header_of(pb.AUTH, request.txn_id))
    message.authRequest.authPluginName = request.plugin_name
    message.authRequest.payload = request.payload


def _fill_write_lac(message: pb.Request, request: req.WriteLacRequest) -> None:
    message.header.CopyFrom(header_of(pb.WRITE_LAC, request.txn_id))
    inner = message.writeLacRequest
    inner.ledgerId, inner.lac = request.ledger_id, request.lac
    inner.masterKey, inner.body = request.master_key, request.body


def _fill_read_lac(message: pb.Request, request: req.ReadLacRequest) -> None:
    message.header.CopyFrom(header_of(pb.READ_LAC, request.txn_id))
    message.readLacRequest.ledgerId = request.ledger_id


def _fill_force(message: pb.Request, request: req.ForceLedgerRequest) -> None:
    message.header.CopyFrom(header_of(pb.FORCE_LEDGER, request.txn_id))
    message.forceLedgerRequest.ledgerId = request.ledger_id


def _fill_info(message: pb.Request, request: req.BookieInfoRequest) -> None:
    message.header.CopyFrom(header_of(pb.GET_BOOKIE_INFO, request.txn_id))
    message.getBookieInfoRequest.requested = request.requested


def _fill_list(message: pb.Request, request: req.ListEntriesRequest) -> None:
    message.header.CopyFrom(header_of(pb.GET_LIST_OF_ENTRIES_OF_LEDGER, request.txn_id))
    message.getListOfEntriesOfLedgerRequest.ledgerId = request.ledger_id


def _fill_start_tls(message: pb.Request, request: req.StartTlsRequest) -> None:
    message.header.CopyFrom(header_of(pb.START_TLS, request.txn_id))
    message.startTLSRequest.SetInParent()


_FILL_REQUEST: Final[dict[type, Callable[[pb.Request, Any], None]]] = {
    req.ReadRequest: _fill_read,
    req.AuthRequest: _fill_auth,
    req.WriteLacRequest: _fill_write_lac,
    req.ReadLacRequest: _fill_read_lac,
    req.ForceLedgerRequest: _fill_force,
    req.BookieInfoRequest: _fill_info,
    req.ListEntriesRequest: _fill_list,
    req.StartTlsRequest: _fill_start_tls,
}
