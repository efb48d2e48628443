"""Answers as bytes: each is one frame that reads back as what was meant."""

from typing import Any

import pytest
from magnetar_broker import answers
from magnetar_broker.errors import ErrorCode
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import FrameSplitter

BUSY = ErrorCode.PRODUCER_BUSY


def read(data: bytes) -> Any:
    [(_, message, payload)] = FrameSplitter(1 << 20).feed(data)
    assert payload is None
    return message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (answers.PING, api.CommandPing()),
        (answers.PONG, api.CommandPong()),
        (answers.success(3), api.CommandSuccess(request_id=3)),
        (
            answers.error(answers.NO_REQUEST, BUSY, "why"),
            api.CommandError(
                request_id=2**64 - 1, error=api.ServerError.ProducerBusy, message="why"
            ),
        ),
        (
            answers.send_error(1, 2, ErrorCode.CHECKSUM, "why"),
            api.CommandSendError(
                producer_id=1, sequence_id=2, error=api.ServerError.ChecksumError, message="why"
            ),
        ),
        (
            answers.close_producer(4),
            api.CommandCloseProducer(producer_id=4, request_id=2**64 - 1),
        ),
        (
            answers.partitions(5, 7),
            api.CommandPartitionedTopicMetadataResponse(
                request_id=5,
                partitions=7,
                response=api.CommandPartitionedTopicMetadataResponse.Success,
            ),
        ),
        (
            answers.topics_of_namespace(6, ["a"], "00", changed=True, filtered=False),
            api.CommandGetTopicsOfNamespaceResponse(
                request_id=6, topics=["a"], topics_hash="00", changed=True, filtered=False
            ),
        ),
    ],
)
def test_reads_back(data: bytes, message: Any) -> None:
    assert read(data) == message


def test_trap_1_ids_are_unsigned_on_the_wire() -> None:
    assert read(answers.close_producer(2**64 - 1)).producer_id == 2**64 - 1


def test_producer_success() -> None:
    reply = read(answers.producer_success(3, "p"))
    assert (reply.request_id, reply.producer_name, reply.last_sequence_id) == (3, "p", -1)
    assert reply.HasField("schema_version")
    assert not reply.HasField("topic_epoch")
    assert reply.producer_ready


@pytest.mark.parametrize(
    "data",
    [
        answers.partitions_failed(3, BUSY, "why"),
        answers.lookup_failed(3, BUSY, "why"),
    ],
)
def test_failures(data: bytes) -> None:
    reply = read(data)
    assert (reply.request_id, reply.error, reply.message) == (3, BUSY, "why")
    assert type(reply).Failed == reply.response


@pytest.mark.parametrize(
    "data", [answers.schema_failed(3, BUSY, "why"), answers.create_schema_failed(3, BUSY, "why")]
)
def test_schema_failures(data: bytes) -> None:
    reply = read(data)
    assert (reply.request_id, reply.error_code, reply.error_message) == (3, BUSY, "why")
