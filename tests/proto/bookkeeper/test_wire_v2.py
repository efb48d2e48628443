"""Version 2: what is refused, how statuses are sent, many answers at once."""

import pytest
from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.requests import ReadRequest, RefusedRequest
from magnetar_proto.bookkeeper.responses import AddResponse, ErrorResponse, ReadResponse
from magnetar_proto.bookkeeper.wire_v2 import (
    decode_request,
    decode_response,
    encode_adds,
    encode_response,
    status_code,
)
from magnetar_proto.errors import CommandError

from tests.proto.bookkeeper.vectors import ENTRY, HEADER, KEY, LEDGER

READ = "02020000 0000000000529075 0000000000000001"
BATCH = "02070000 0000000000529075 0000000000000000 000000000000004d 0000000a 0000000000100000"


@pytest.mark.parametrize(
    "packet",
    [
        "02",
        "02000000",
        "02040000 0000000000529075 0000000000000001",  # read LAC: a number, no operation
        "02080000",
        "02010000" + KEY.hex() + HEADER[:15].hex(),
        READ[:-2],
        READ + "00",
        READ.replace("0000 ", "0001 ", 1),  # a fence without a key
        READ.replace("0000 ", "0001 ", 1) + KEY.hex() + "00",
        BATCH[:-2],
        BATCH + "00",
        BATCH.replace("02", "03", 1),
        "02030000 0a04",
        "02030000",
    ],
)
def test_packets_that_cost_the_connection(packet: str) -> None:
    with pytest.raises(CommandError):
        decode_request(bytes.fromhex(packet))


@pytest.mark.parametrize(
    ("packet", "status"),
    [
        (READ.replace("02", "03", 1), Status.BAD_VERSION),
        ("ff" + READ[2:], Status.BAD_VERSION),
        (READ.replace("0000000000529075", "8000000000000000"), Status.BAD_REQUEST),
        (READ.replace("0000000000000001", "fffffffffffffffe"), Status.BAD_REQUEST),
        ("02010000" + KEY.hex() + HEADER[:31].hex(), Status.BAD_REQUEST),
        ("03010000" + KEY.hex() + ENTRY.hex(), Status.BAD_VERSION),
        ("02010000" + KEY.hex() + "ff" * 32, Status.BAD_REQUEST),
    ],
)
def test_packets_that_are_answered_with_an_error(packet: str, status: Status) -> None:
    data = bytes.fromhex(packet)
    request = decode_request(data)
    assert isinstance(request, RefusedRequest)
    assert request.status is status
    parts: list[bytes] = []
    encode_response(ErrorResponse(*request), parts)
    (answer,) = parts
    assert answer[4:6] == data[:2]  # version and operation as they came
    assert answer[8:12] == int(status).to_bytes(4, "big")


@pytest.mark.parametrize("version", [0, 1])
def test_old_versions_are_answered_in_kind(version: int) -> None:
    request = decode_request(bytes((version,)) + bytes.fromhex(READ)[1:])
    assert request == ReadRequest(version, 0, 0, LEDGER, 1)


@pytest.mark.parametrize(
    "status", [Status.UNKNOWN_LEDGER_STATE, Status.UNAVAILABLE, Status.TIMEOUT]
)
def test_what_clients_do_not_know_is_an_io_error_and_never_a_negative(status: Status) -> None:
    parts: list[bytes] = []
    encode_response(ReadResponse(2, 0, status, LEDGER, 1), parts)
    (answer,) = parts
    assert decode_response(answer[4:]) == ReadResponse(2, 0, Status.IO_ERROR, LEDGER, 1)
    assert status_code(status) == Status.IO_ERROR


def test_all_other_statuses_are_sent_as_they_are() -> None:
    for status in Status:
        if 0 <= status != Status.UNKNOWN_LEDGER_STATE:
            assert status_code(status) == status


def test_answers_to_many_adds_are_those_to_each() -> None:
    parts: list[bytes] = []
    for entry_id in (3, 4, 9):
        encode_response(AddResponse(2, 0, Status.FENCED, LEDGER, entry_id), parts)
    assert encode_adds(2, LEDGER, [3, 4, 9], Status.FENCED) == b"".join(parts)


@pytest.mark.parametrize(
    "packet",
    [
        "02010000 0000006c 0000000000529075 0000000000000000",
        "02010000 ffffffff 0000000000529075 0000000000000000",
        "02010000 00000000 0000000000529075 00000000000000",
        "02010000 00000000 0000000000529075 0000000000000000 00",
        "02040000 00000000 0000000000529075 0000000000000000",
        "02070000 00000000 0000000000529075 0000000000000000 0000000000004d",
        "02070000 00000000 0000000000529075 0000000000000000 000000000000004d 000000",
        "02070000 00000000 0000000000529075 0000000000000000 000000000000004d 00000005 00000000",
    ],
)
def test_responses_that_cost_the_connection(packet: str) -> None:
    with pytest.raises(CommandError):
        decode_response(bytes.fromhex(packet))
