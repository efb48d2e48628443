"""Requests of version 3 that cannot be served as they are."""

import pytest
from magnetar_proto import bookkeeper_wire_pb2 as pb
from magnetar_proto.bookie import HIGH_PRIORITY, RECOVERY_ADD, Status
from magnetar_proto.bookkeeper.requests import (
    VERSION_3,
    AddRequest,
    RefusedRequest,
    Request,
)
from magnetar_proto.bookkeeper.wire_v3 import header_of
from magnetar_proto.bookkeeper.wire_v3_requests import decode_request, encode_request
from magnetar_proto.errors import CommandError

from tests.proto.bookkeeper.vectors import HEADER, KEY, LEDGER, REST


def add(body: bytes, ledger_id: int = LEDGER, entry_id: int = 0) -> Request:
    message = pb.Request(header=header_of(pb.ADD_ENTRY, 9))
    inner = message.addRequest
    inner.ledgerId, inner.entryId, inner.masterKey, inner.body = ledger_id, entry_id, KEY, body
    return decode_request(message.SerializeToString())


def test_an_entry_must_be_the_one_that_its_request_names() -> None:
    assert isinstance(add(HEADER + REST), AddRequest)
    assert isinstance(add(HEADER), AddRequest)
    for refused in (add(HEADER[:-1]), add(HEADER, entry_id=1), add(HEADER, ledger_id=1)):
        assert isinstance(refused, RefusedRequest)
        assert (refused.status, refused.txn_id) == (Status.BAD_REQUEST, 9)


@pytest.mark.parametrize("ids", [(-1, 0), (LEDGER, -1)])
def test_ids_below_zero_are_refused(ids: tuple[int, int]) -> None:
    header = b"".join(value.to_bytes(8, "big", signed=True) for value in (*ids, 0, 0))
    assert isinstance(add(header, *ids), RefusedRequest)


def test_a_request_that_lacks_its_message_is_refused() -> None:
    message = pb.Request(header=header_of(pb.READ_ENTRY, 4))
    assert decode_request(message.SerializeToString()) == RefusedRequest(
        VERSION_3, 4, pb.READ_ENTRY, Status.BAD_REQUEST
    )


def test_another_version_is_refused() -> None:
    message = pb.Request(header=header_of(pb.READ_LAC, 4))
    message.readLacRequest.ledgerId = 1
    message.header.version = pb.VERSION_TWO
    refused = decode_request(message.SerializeToString())
    assert refused == RefusedRequest(VERSION_3, 4, pb.READ_LAC, Status.BAD_VERSION)


def test_an_operation_without_a_number_of_its_own_costs_the_connection() -> None:
    with pytest.raises(CommandError):
        decode_request(bytes.fromhex("0a060803100d1801"))


def test_a_recovery_add_is_sent_as_the_java_client_sends_it() -> None:
    parts: list[bytes] = []
    flags = RECOVERY_ADD | HIGH_PRIORITY
    encode_request(AddRequest(VERSION_3, 1, flags, LEDGER, 0, KEY, HEADER, REST), parts)
    message = pb.Request.FromString(b"".join(parts)[4:])
    assert message.header.priority == 100
    assert message.addRequest.flag == pb.AddRequest.RECOVERY_ADD
    assert not message.addRequest.HasField("writeFlags")
