"""Version 3, responses: a protobuf message per frame; `bookkeeper_wire.proto` is the contract.

A frame given here has no length field any more; what is encoded has it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from magnetar_proto import bookkeeper_wire_pb2 as pb
from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper import responses as res
from magnetar_proto.bookkeeper.requests import VERSION_3
from magnetar_proto.bookkeeper.responses import Response
from magnetar_proto.bookkeeper.wire_v3 import (
    CODES,
    STATUSES,
    Buffer,
    append_message,
    append_sized,
    append_with_body,
    header_of,
    parsed,
    tag_of,
)
from magnetar_proto.errors import CommandError
from magnetar_proto.varints import varint

_READ_TAG: Final = tag_of(pb.Response, "readResponse")
_ADD_TAG: Final = tag_of(pb.Response, "addResponse")
_ADD_HEADER: Final = b"\x08\x03\x10\x02\x18"  # version 3, an add, the tag of the transaction id


def decode_response(frame: Buffer) -> Response:
    """Read a response.

    The status is that of the message inside if the one around it is OK, else the one around.

    Args:
        frame: without its length; nothing of it is referred to by the response.

    Raises:
        CommandError: it cannot be read, or a required field is missing.
    """
    message = parsed(pb.Response, frame)
    operation, txn_id = message.header.operation, message.header.txnId
    name, decode = _RESPONSES.get(operation, ("", None))
    if decode is not None and message.HasField(name):
        inner = getattr(message, name)
        code = message.status or getattr(inner, "status", pb.EOK)
        return decode(txn_id, STATUSES[code], inner)
    if message.status == pb.EOK:
        raise CommandError(f"answer to operation {operation} that says OK and nothing else")
    return res.ErrorResponse(VERSION_3, txn_id, operation, STATUSES[message.status])


def _decode_add(txn_id: int, status: Status, message: pb.AddResponse) -> Response:
    return res.AddResponse(VERSION_3, txn_id, status, message.ledgerId, message.entryId)


def _decode_read(txn_id: int, status: Status, message: pb.ReadResponse) -> Response:
    return res.ReadResponse(
        VERSION_3,
        txn_id,
        status,
        message.ledgerId,
        message.entryId,
        message.body or None,
        message.maxLAC if message.HasField("maxLAC") else None,
        message.lacUpdateTimestamp if message.HasField("lacUpdateTimestamp") else None,
    )


def _decode_auth(txn_id: int, status: Status, message: pb.AuthMessage) -> Response:
    return res.AuthResponse(VERSION_3, txn_id, status, message.authPluginName, message.payload)


def _decode_write_lac(txn_id: int, status: Status, message: pb.WriteLacResponse) -> Response:
    return res.WriteLacResponse(txn_id, status, message.ledgerId)


def _decode_read_lac(txn_id: int, status: Status, message: pb.ReadLacResponse) -> Response:
    return res.ReadLacResponse(
        txn_id, status, message.ledgerId, message.lacBody or None, message.lastEntryBody or None
    )


def _decode_force(txn_id: int, status: Status, message: pb.ForceLedgerResponse) -> Response:
    return res.ForceLedgerResponse(txn_id, status, message.ledgerId)


def _decode_info(txn_id: int, status: Status, message: pb.GetBookieInfoResponse) -> Response:
    return res.BookieInfoResponse(
        txn_id,
        status,
        message.totalDiskCapacity if message.HasField("totalDiskCapacity") else None,
        message.freeDiskSpace if message.HasField("freeDiskSpace") else None,
    )


def _decode_list(
    txn_id: int, status: Status, message: pb.GetListOfEntriesOfLedgerResponse
) -> Response:
    return res.ListEntriesResponse(
        txn_id, status, message.ledgerId, message.availabilityOfEntriesOfLedger or None
    )


def _decode_start_tls(txn_id: int, status: Status, message: pb.StartTLSResponse) -> Response:
    return res.StartTlsResponse(txn_id, status)


_RESPONSES: Final[dict[int, tuple[str, Callable[[int, Status, Any], Response]]]] = {
    pb.ADD_ENTRY: ("addResponse", _decode_add),
    pb.READ_ENTRY: ("readResponse", _decode_read),
    pb.AUTH: ("authResponse", _decode_auth),
    pb.WRITE_LAC: ("writeLacResponse", _decode_write_lac),
    pb.READ_LAC: ("readLacResponse", _decode_read_lac),
    pb.FORCE_LEDGER: ("forceLedgerResponse", _decode_force),
    pb.GET_BOOKIE_INFO: ("getBookieInfoResponse", _decode_info),
    pb.GET_LIST_OF_ENTRIES_OF_LEDGER: ("getListOfEntriesOfLedgerResponse", _decode_list),
    pb.START_TLS: ("startTLSResponse", _decode_start_tls),
}


def encode_response(response: Response, parts: list[bytes]) -> None:
    """Append a frame to what is to be written, length and all; an entry as the object it is."""
    if isinstance(response, res.AddResponse):
        parts.append(encode_adds(response.ledger_id, [response[1:2] + response[4:]], response[2]))
    elif isinstance(response, res.ReadResponse):
        _encode_read(response, parts)
    elif isinstance(response, res.ErrorResponse):
        header = header_of(response.operation, response.txn_id)
        append_message(parts, pb.Response(header=header, status=CODES[response.status]))
    else:
        assert not isinstance(response, res.BatchReadResponse), "not an operation of version 3"
        operation, fill = _FILL[type(response)]
        header = header_of(operation, response.txn_id)
        message = pb.Response(header=header, status=CODES[response.status])
        fill(message, response)
        append_message(parts, message)


def encode_adds(ledger_id: int, adds: Sequence[tuple[Any, ...]], status: Status) -> bytes:
    """The frames that answer adds of one ledger.

    Args:
        adds: of each the transaction id and the entry id.
    """
    code = varint(CODES[status])
    middle = b"\x10" + code + _ADD_TAG
    inner = b"\x08" + code + b"\x10" + varint(ledger_id) + b"\x18"
    frames: list[bytes] = []
    for txn_id, entry_id in adds:
        header = _ADD_HEADER + varint(txn_id)
        message = inner + varint(entry_id)
        whole = b"\x0a" + varint(len(header)) + header + middle + varint(len(message)) + message
        append_sized(frames, whole)
    return b"".join(frames)


def _encode_read(response: res.ReadResponse, parts: list[bytes]) -> None:
    code = CODES[response.status]
    outer = pb.Response(header=header_of(pb.READ_ENTRY, response.txn_id), status=code)
    inner = pb.ReadResponse(status=code, ledgerId=response.ledger_id, entryId=response.entry_id)
    rest = pb.ReadResponse()
    if response.max_lac is not None:
        rest.maxLAC = response.max_lac
    if response.lac_update_ms is not None:
        rest.lacUpdateTimestamp = response.lac_update_ms
    if response.entry is None:
        inner.MergeFrom(rest)
        outer.readResponse.CopyFrom(inner)
        append_message(parts, outer)
        return
    append_with_body(
        parts,
        outer.SerializeToString(),
        _READ_TAG,
        inner.SerializeToString(),
        [response.entry],
        rest.SerializePartialToString(),
    )


def _fill_auth(message: pb.Response, response: res.AuthResponse) -> None:
    message.authResponse.authPluginName = response.plugin_name
    message.authResponse.payload = response.payload


def _fill_write_lac(message: pb.Response, response: res.WriteLacResponse) -> None:
    message.writeLacResponse.status = message.status
    message.writeLacResponse.ledgerId = response.ledger_id


def _fill_read_lac(message: pb.Response, response: res.ReadLacResponse) -> None:
    inner = message.readLacResponse
    inner.status, inner.ledgerId = message.status, response.ledger_id
    if response.lac_body is not None:
        inner.lacBody = response.lac_body
    if response.last_entry is not None:
        inner.lastEntryBody = response.last_entry


def _fill_force(message: pb.Response, response: res.ForceLedgerResponse) -> None:
    message.forceLedgerResponse.status = message.status
    message.forceLedgerResponse.ledgerId = response.ledger_id


def _fill_info(message: pb.Response, response: res.BookieInfoResponse) -> None:
    inner = message.getBookieInfoResponse
    inner.status = message.status
    if response.total_disk_bytes is not None:
        inner.totalDiskCapacity = response.total_disk_bytes
    if response.free_disk_bytes is not None:
        inner.freeDiskSpace = response.free_disk_bytes


def _fill_list(message: pb.Response, response: res.ListEntriesResponse) -> None:
    inner = message.getListOfEntriesOfLedgerResponse
    inner.status, inner.ledgerId = message.status, response.ledger_id
    if response.availability is not None:
        inner.availabilityOfEntriesOfLedger = response.availability


def _fill_start_tls(message: pb.Response, response: res.StartTlsResponse) -> None:
    message.startTLSResponse.SetInParent()


_FILL: Final[dict[type, tuple[int, Callable[[pb.Response, Any], None]]]] = {
    res.AuthResponse: (pb.AUTH, _fill_auth),
    res.WriteLacResponse: (pb.WRITE_LAC, _fill_write_lac),
    res.ReadLacResponse: (pb.READ_LAC, _fill_read_lac),
    res.ForceLedgerResponse: (pb.FORCE_LEDGER, _fill_force),
    res.BookieInfoResponse: (pb.GET_BOOKIE_INFO, _fill_info),
    res.ListEntriesResponse: (pb.GET_LIST_OF_ENTRIES_OF_LEDGER, _fill_list),
    res.StartTlsResponse: (pb.START_TLS, _fill_start_tls),
}
