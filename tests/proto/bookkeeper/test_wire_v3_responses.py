"""Responses of version 3: which status counts, and answers to many adds."""

import pytest
from magnetar_proto import bookkeeper_wire_pb2 as pb
from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.requests import VERSION_3
from magnetar_proto.bookkeeper.responses import AddResponse, ForceLedgerResponse
from magnetar_proto.bookkeeper.wire_v3 import append_message, header_of
from magnetar_proto.bookkeeper.wire_v3_responses import (
    decode_response,
    encode_adds,
    encode_response,
)
from magnetar_proto.errors import CommandError


def force(outer: "pb.StatusCode", inner: "pb.StatusCode") -> bytes:
    message = pb.Response(header=header_of(pb.FORCE_LEDGER, 3), status=outer)
    message.forceLedgerResponse.status = inner
    message.forceLedgerResponse.ledgerId = 8
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("outer", "inner", "status"),
    [
        (pb.EOK, pb.EOK, Status.OK),
        (pb.EOK, pb.EIO, Status.IO_ERROR),
        (pb.EUA, pb.EOK, Status.UNAUTHORIZED),
        (pb.EUA, pb.EIO, Status.UNAUTHORIZED),
    ],
)
def test_the_status_inside_counts_if_the_one_around_is_ok(
    outer: "pb.StatusCode", inner: "pb.StatusCode", status: Status
) -> None:
    assert decode_response(force(outer, inner)) == ForceLedgerResponse(3, status, 8)


def test_ok_without_a_message_is_no_answer() -> None:
    message = pb.Response(header=header_of(pb.ADD_ENTRY, 3), status=pb.EOK)
    with pytest.raises(CommandError, match="nothing else"):
        decode_response(message.SerializeToString())


@pytest.mark.parametrize("status", list(Status))
def test_answers_to_many_adds_are_those_to_each(status: Status) -> None:
    adds = [(1, 0), (200, 130), (2**64 - 1, 2**63 - 1)]
    whole: list[bytes] = []
    single: list[bytes] = []
    for txn_id, entry_id in adds:
        encode_response(AddResponse(VERSION_3, txn_id, status, 2**40, entry_id), single)
        message = pb.Response(header=header_of(pb.ADD_ENTRY, txn_id))
        sent = decode_response(single[-1][4:])
        assert isinstance(sent, AddResponse)
        code = pb.Response.FromString(single[-1][4:]).status
        message.status = message.addResponse.status = code
        message.addResponse.ledgerId, message.addResponse.entryId = 2**40, entry_id
        append_message(whole, message)
    assert encode_adds(2**40, adds, status) == b"".join(single) == b"".join(whole)
