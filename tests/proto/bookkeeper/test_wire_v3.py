"""What the messages of version 3 share."""

import pytest
from magnetar_proto import bookkeeper_wire_pb2 as pb
from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.wire_v3 import (
    CODES,
    STATUSES,
    append_message,
    append_sized,
    append_with_body,
    header_of,
    parsed,
    tag_of,
)
from magnetar_proto.errors import CommandError


def test_every_status_has_a_code_and_every_code_a_status() -> None:
    assert set(CODES) == set(Status)
    assert set(STATUSES) == {value.number for value in pb.StatusCode.DESCRIPTOR.values}
    for code, status in STATUSES.items():
        assert CODES[status] == code


@pytest.mark.parametrize("status", [Status.UNAVAILABLE, Status.TIMEOUT])
def test_a_call_without_an_answer_is_an_io_error(status: Status) -> None:
    assert CODES[status] == pb.EIO


def test_a_message_without_a_required_field_is_refused() -> None:
    with pytest.raises(CommandError, match="required"):
        parsed(pb.Request, bytes.fromhex("0a0408031002"))
    with pytest.raises(CommandError, match="unreadable"):
        parsed(pb.Request, b"\x0a\xff")


@pytest.mark.parametrize("rest", [0, 300])
def test_a_frame_with_a_body_is_that_of_the_message(rest: int) -> None:
    """Lengths of one, two and three bytes, inside and outside."""
    for size in (1, 100, 127, 128, 20_000):
        body = bytes(size)
        inner = pb.ReadResponse(status=pb.EOK, ledgerId=5, entryId=rest)
        behind = pb.ReadResponse(maxLAC=rest) if rest else pb.ReadResponse()
        outer = pb.Response(header=header_of(pb.READ_ENTRY, 7), status=pb.EOK)
        parts: list[bytes] = []
        append_with_body(
            parts,
            outer.SerializeToString(),
            tag_of(pb.Response, "readResponse"),
            inner.SerializeToString(),
            [body[:10], body[10:]],
            behind.SerializePartialToString(),
        )
        inner.body = body
        inner.MergeFrom(behind)
        outer.readResponse.CopyFrom(inner)
        whole: list[bytes] = []
        append_message(whole, outer)
        assert b"".join(parts) == b"".join(whole)


def test_the_last_part_of_a_body_is_not_copied() -> None:
    parts: list[bytes] = []
    payload = bytes(5000)
    append_with_body(parts, b"", b"\x0a", b"", [b"head", payload], b"")
    assert parts[-1] is payload


def test_bytes_get_their_length() -> None:
    parts: list[bytes] = []
    append_sized(parts, b"abc")
    assert parts == [b"\0\0\0\3abc"]
