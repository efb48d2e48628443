"""Batches split and joined, the recorded ones too."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.batches import join_batch, split_batch
from magnetar_proto.errors import PayloadError
from magnetar_proto.frames import FrameSplitter
from magnetar_proto.payloads import parse_metadata

from tests.proto.golden import MAX_FRAME_BYTES, golden_frames


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=30)), max_size=10))
def test_split_undoes_join(rows: list[tuple[str, bytes]]) -> None:
    messages = [(api.SingleMessageMetadata(partition_key=key), body) for key, body in rows]
    again = split_batch(join_batch(messages), len(messages))
    assert [(metadata.partition_key, body) for metadata, body in again] == rows


def test_recorded_batches_are_split_and_made_again() -> None:
    found = 0
    for golden in golden_frames():
        ((_, _, payload),) = FrameSplitter(MAX_FRAME_BYTES).feed(golden.data)
        if payload is None:
            continue
        metadata, start = parse_metadata(payload)
        if metadata.HasField("num_messages_in_batch") and not metadata.compression:
            messages = split_batch(payload[start:], metadata.num_messages_in_batch)
            assert all(body.startswith((b"message", b"batch", b"{")) for _, body in messages)
            assert join_batch(messages) == payload[start:]
            found += 1
    assert found >= 4


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_count_is_an_error(count: int) -> None:
    body = join_batch([(api.SingleMessageMetadata(), b"one"), (api.SingleMessageMetadata(), b"2")])
    with pytest.raises(PayloadError):
        split_batch(body, count)


def test_every_cut_is_an_error() -> None:
    body = join_batch([(api.SingleMessageMetadata(), b"one"), (api.SingleMessageMetadata(), b"2")])
    for cut in range(len(body)):
        with pytest.raises(PayloadError):
            split_batch(body[:cut], 2)


@pytest.mark.parametrize(
    "body",
    [b"\x00\x00\x00\x00", b"\x00\x00\x00\x01\xff", b"\x00\x00\x00\x0b\x18" + b"\xff" * 9 + b"\x01"],
)
def test_broken_messages_are_errors(body: bytes) -> None:
    with pytest.raises(PayloadError):
        split_batch(body, 1)


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 4))
def test_rubbish_gives_a_payload_error_or_messages(body: bytes, count: int) -> None:
    with contextlib.suppress(PayloadError):
        assert len(split_batch(body, count)) == count
