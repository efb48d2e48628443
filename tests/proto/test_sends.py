"""What clients send for every message, beside what protobuf makes of the same."""

import pytest
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.batches import join_batch
from magnetar_proto.frames import FrameSplitter, encode_payload_command
from magnetar_proto.payloads import check_payload
from magnetar_proto.sends import plain_single, send_head, with_checksum


@pytest.mark.parametrize(
    "fields",
    [
        {"sequence_id": 0},
        {"sequence_id": 2**40, "num_messages": 300, "highest_sequence_id": 2**40 + 299},
        {"sequence_id": 7, "is_chunk": True},
    ],
)
def test_a_head_is_what_protobuf_makes_of_the_command(fields: dict[str, int]) -> None:
    command = api.CommandSend(producer_id=3, **fields)  # type: ignore[arg-type]
    head = send_head(
        3,
        fields["sequence_id"],
        5,
        fields.get("num_messages", 0),
        fields.get("highest_sequence_id", -1),
        is_chunk=bool(fields.get("is_chunk")),
    )
    assert head == encode_payload_command(command, b"12345")
    [(kind, parsed, payload)] = FrameSplitter(1000).feed(head + b"12345")
    assert (kind, parsed, payload) == (api.BaseCommand.SEND, command, b"12345")


def test_a_checksum_covers_all_behind_it() -> None:
    payload = with_checksum(b"meta", b"body")
    assert check_payload(payload)
    assert not check_payload(payload[:-1] + b"!")


@pytest.mark.parametrize(("size", "sequence_id"), [(0, 0), (300, 2**40), (5, 2**63 - 1)])
def test_a_plain_message_of_a_batch(size: int, sequence_id: int) -> None:
    single = api.SingleMessageMetadata(payload_size=0, sequence_id=sequence_id)
    body = bytes(size)
    assert plain_single(size, sequence_id) + body == join_batch([(single, body)])
