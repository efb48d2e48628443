"""Hand-made replies, byte for byte against protobuf and against recorded ones."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import FrameSplitter, encode_command, encode_payload_command
from magnetar_proto.replies import message_head, send_receipt, send_receipts
from magnetar_proto.varints import NONE

from tests.proto.golden import MAX_FRAME_BYTES, golden_frames

ids = st.one_of(st.integers(0, 200), st.integers(0, 1 << 30), st.integers(0, NONE))
words = st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=20)


def receipt_by_protobuf(
    producer_id: int, sequence_id: int, ledger_id: int, entry_id: int, highest_sequence_id: int
) -> bytes:
    position = api.MessageIdData(ledgerId=ledger_id, entryId=entry_id)
    return encode_command(
        api.CommandSendReceipt(
            producer_id=producer_id,
            sequence_id=sequence_id,
            message_id=position,
            highest_sequence_id=highest_sequence_id,
        )
    )


def head_by_protobuf(
    consumer_id: int,
    ledger_id: int,
    entry_id: int,
    partition: int,
    redelivery_count: int,
    ack_set: list[int],
    payload: bytes,
) -> bytes:
    command = api.CommandMessage(consumer_id=consumer_id, ack_set=ack_set)
    command.message_id.ledgerId = ledger_id
    command.message_id.entryId = entry_id
    command.message_id.partition = partition
    if redelivery_count:
        command.redelivery_count = redelivery_count
    return encode_payload_command(command, payload)


@settings(deadline=None)
@given(ids, ids, ids, ids, ids)
@example(NONE, NONE, NONE, NONE, NONE)
@example(0, 0, 0, 0, 0)
def test_receipt_is_protobufs(
    producer_id: int, sequence_id: int, ledger_id: int, entry_id: int, highest: int
) -> None:
    row = (producer_id, sequence_id, ledger_id, entry_id, highest)
    assert send_receipt(*row) == receipt_by_protobuf(*row)


def test_receipt_of_a_duplicate_is_at_minus_one() -> None:
    assert send_receipt(1, 2, -1, -1) == receipt_by_protobuf(1, 2, NONE, NONE, NONE)


@settings(deadline=None)
@given(ids, ids, st.integers(0, 1 << 40), st.lists(st.tuples(ids, ids), max_size=20))
def test_receipts_are_receipts_one_by_one(
    producer_id: int, ledger_id: int, first: int, rows: list[tuple[int, int]]
) -> None:
    one_by_one = [
        receipt_by_protobuf(producer_id, sequence_id, ledger_id, first + index, highest)
        for index, (sequence_id, highest) in enumerate(rows)
    ]
    together = send_receipts(
        producer_id, ledger_id, first, [row[0] for row in rows], [row[1] for row in rows]
    )
    assert together == b"".join(one_by_one)


def test_receipts_want_as_many_highest_ids() -> None:
    with pytest.raises(ValueError, match="zip"):
        send_receipts(1, 2, 3, [1, 2], [NONE])


@settings(deadline=None)
@given(
    ids,
    ids,
    ids,
    st.integers(-1, (1 << 31) - 1),
    st.integers(0, (1 << 32) - 1),
    words,
    st.binary(max_size=300),
)
@example(NONE, NONE, NONE, -1, (1 << 32) - 1, [-1] * 20, b"")
def test_message_head_is_protobufs(
    consumer_id: int,
    ledger_id: int,
    entry_id: int,
    partition: int,
    redelivery_count: int,
    ack_set: list[int],
    payload: bytes,
) -> None:
    row = (consumer_id, ledger_id, entry_id, partition, redelivery_count, ack_set)
    assert message_head(*row, len(payload)) == head_by_protobuf(*row, payload)


def test_recorded_replies_are_made_again() -> None:
    made = 0
    for golden in golden_frames():
        ((kind, message, payload),) = FrameSplitter(MAX_FRAME_BYTES).feed(golden.data)
        if kind == api.BaseCommand.SEND_RECEIPT:
            at = (message.message_id.ledgerId, message.message_id.entryId)
            highest = message.highest_sequence_id
            ours = send_receipt(message.producer_id, message.sequence_id, *at, highest)
        elif kind == api.BaseCommand.MESSAGE:
            at = (message.message_id.ledgerId, message.message_id.entryId)
            more = (message.message_id.partition, message.redelivery_count, message.ack_set)
            ours = message_head(message.consumer_id, *at, *more, len(payload)) + payload
        else:
            continue
        made += 1
        assert ours == golden.data
    assert made > 80
