"""The hand-written frames must be what protobuf writes and reads."""

import struct

import pytest
from fastcrc.crc32 import iscsi as crc32c
from hypothesis import given
from hypothesis import strategies as st
from magnetar_proto import pulsar_api_pb2 as pb

from bench import wire
from bench.errors import WireError


def decoded(frame: bytes) -> pb.BaseCommand:
    total, command_bytes = struct.unpack_from(">II", frame)
    assert len(frame) == total + 4
    return pb.BaseCommand.FromString(frame[8 : 8 + command_bytes])


@given(st.integers(min_value=0, max_value=(1 << 64) - 1))
def test_varint_is_read_back(number: int) -> None:
    assert wire.parse(wire.message([(5, number)])) == {5: number}


def test_negative_numbers_take_64_bits() -> None:
    assert wire.parse(wire.message([(5, -1)])) == {5: (1 << 64) - 1}


def test_commands_are_those_of_the_contract() -> None:
    assert decoded(wire.connect()).connect.protocol_version == wire.PROTOCOL_VERSION
    assert decoded(wire.lookup("t", 7)).lookup.request_id == 7
    producer = decoded(wire.producer("t", 1, 2)).producer
    assert (producer.topic, producer.producer_id, producer.request_id) == ("t", 1, 2)
    subscribe = decoded(wire.subscribe("t", "s", 3, 4)).subscribe
    assert (subscribe.subscription, subscribe.consumer_id, subscribe.request_id) == ("s", 3, 4)
    assert subscribe.initialPosition == pb.CommandSubscribe.InitialPosition.Earliest
    assert decoded(wire.flow(1, 500)).flow.messagePermits == 500
    ack = decoded(wire.ack_cumulative(1, 2, 3)).ack
    assert ack.ack_type == pb.CommandAck.AckType.Cumulative
    assert (ack.message_id[0].ledgerId, ack.message_id[0].entryId) == (2, 3)
    assert decoded(wire.PONG_FRAME).HasField("pong")


def test_payload_command_carries_a_right_checksum() -> None:
    metadata = wire.message([(1, b"p"), (2, 1), (3, 1)])
    frame = wire.payload_command(wire.SEND, [(1, 0), (2, 1)], metadata, b"content")
    _, command_bytes = struct.unpack_from(">II", frame)
    tail = frame[8 + command_bytes :]
    assert tail[:2] == wire.MAGIC_CRC32C
    assert struct.unpack(">I", tail[2:6])[0] == crc32c(tail[6:])
    assert tail.endswith(metadata + b"content")


def test_parse_command_gives_kind_and_fields() -> None:
    assert wire.parse_command(wire.flow(1, 500)) == (wire.FLOW, {1: 1, 2: 500})


def test_other_wire_types_are_an_error() -> None:
    with pytest.raises(WireError):
        wire.parse(b"\x0d\x00\x00\x00\x00")
