"""Entries as consumers get them. What `test_outgoing` makes is opened there."""

from magnetar_broker.inner_client.opened import messages_of
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.batches import join_batch
from magnetar_proto.payloads import encode_payload


def test_messages_of_a_batch_that_were_compacted_out_are_left_out() -> None:
    singles = [
        (api.SingleMessageMetadata(payload_size=0, compacted_out=gone), b"x")
        for gone in (True, False)
    ]
    metadata = api.MessageMetadata(
        producer_name="p", sequence_id=5, publish_time=1, num_messages_in_batch=2
    )
    place = api.MessageIdData(ledgerId=1, entryId=2, partition=4)
    head = api.CommandMessage(consumer_id=1, message_id=place)
    payload = encode_payload(metadata, join_batch(singles))
    (found,) = messages_of(head, payload, "t", most_bytes=100)
    assert (found.id.batch_index, found.id.partition, found.sequence_id) == (1, 4, 6)
    assert found.size_bytes > 0
