"""Frames cut and made: on what was recorded, on every cut, and on rubbish."""

import random
import resource
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.errors import CommandError, FrameError, FrameSizeError
from magnetar_proto.frames import (
    Frame,
    FrameSplitter,
    encode_command,
    encode_payload_command,
)

from tests.proto.golden import MAX_FRAME_BYTES, golden_frames, streams
from tests.proto.rubbish import mutated

MUTATIONS = 100_000
PING = encode_command(api.CommandPing())


def send_frame(payload: bytes, sequence_id: int = 1) -> bytes:
    command = api.CommandSend(producer_id=1, sequence_id=sequence_id)
    return encode_payload_command(command, payload) + payload


def split(data: bytes, **options: int) -> list[Frame]:
    return FrameSplitter(MAX_FRAME_BYTES, **options).feed(data)


def encode(frame: Frame) -> bytes:
    _, message, payload = frame
    if payload is None:
        return encode_command(message)
    return encode_payload_command(message, payload) + payload


# ---- recorded frames ----


def test_recorded_frames_are_cut_whole() -> None:
    for golden in golden_frames():
        (frame,) = split(golden.data)
        assert frame[0] == golden.data[9]
        assert encode(frame) == golden.data


def test_recordings_cover_the_commands_of_the_official_client() -> None:
    kinds = {split(golden.data)[0][0] for golden in golden_frames()}
    assert len(kinds) >= 28
    assert {golden.sender for golden in golden_frames()} == {"client", "broker"}


def test_every_cut_gives_the_same_frames() -> None:
    distinct = {golden.data for golden in golden_frames() if len(golden.data) < 400}
    for data in distinct:
        whole = split(data)
        for cut in range(1, len(data)):
            splitter = FrameSplitter(MAX_FRAME_BYTES, buffer_bytes=64)
            assert splitter.feed(data[:cut]) == []
            assert splitter.pending_bytes == cut
            assert splitter.feed(data[cut:]) == whole
            assert splitter.pending_bytes == 0


def test_the_longest_recorded_frame_is_the_same_at_every_cut() -> None:
    data = max((golden.data for golden in golden_frames()), key=len)
    whole = split(data)
    for cut in range(1, len(data)):
        splitter = FrameSplitter(MAX_FRAME_BYTES)
        assert splitter.feed(data[:cut]) + splitter.feed(data[cut:]) == whole


@pytest.mark.parametrize("chunk_bytes", [1, 7, 100, 1000, 65536])
@pytest.mark.parametrize("buffer_bytes", [32, 500, 262_144])
def test_streams_in_chunks_give_the_same_frames(chunk_bytes: int, buffer_bytes: int) -> None:
    stream = b"".join(streams().values())[:40_000]
    splitter = FrameSplitter(MAX_FRAME_BYTES, buffer_bytes=buffer_bytes)
    frames: list[Frame] = []
    for start in range(0, len(stream), chunk_bytes):
        frames += splitter.feed(stream[start : start + chunk_bytes])
    rest = splitter.pending_bytes
    assert b"".join(map(encode, frames)) == stream[: len(stream) - rest]
    assert rest < 6000


@settings(deadline=None, max_examples=50)
@given(
    sizes=st.lists(st.sampled_from([1, 90, 3000, 4090, 4200, 17_000, 70_000]), max_size=12),
    seed=st.integers(0, 1000),
    buffer_bytes=st.sampled_from([100, 16_384, 65_536]),
)
def test_any_sizes_in_any_chunks(sizes: list[int], seed: int, buffer_bytes: int) -> None:
    rng = random.Random(seed)
    payloads = [rng.randbytes(size) for size in sizes]
    stream = b"".join(send_frame(payload, index) for index, payload in enumerate(payloads))
    splitter = FrameSplitter(MAX_FRAME_BYTES, buffer_bytes=buffer_bytes)
    frames: list[Frame] = []
    while stream:
        chunk_bytes = rng.choice((1, 50, 5000, 60_000))
        frames += splitter.feed(stream[:chunk_bytes])
        stream = stream[chunk_bytes:]
    assert [payload for _, _, payload in frames] == payloads
    assert [message.sequence_id for _, message, _ in frames] == list(range(len(sizes)))


# ---- the buffer ----


def test_frames_do_not_refer_to_the_buffer() -> None:
    splitter = FrameSplitter(MAX_FRAME_BYTES)
    stream = PING + send_frame(b"small") + send_frame(b"l" * 9000)
    room = splitter.get_buffer()
    room[: len(stream)] = stream
    frames = splitter.buffer_updated(len(stream))
    room[:] = b"\xff" * len(room)
    assert [payload for _, _, payload in frames] == [None, b"small", b"l" * 9000]
    assert all(type(payload) is bytes for _, _, payload in frames[1:])
    assert frames[1][1].producer_id == 1


def test_a_frame_larger_than_the_buffer_is_received_into_a_block_of_its_size() -> None:
    splitter = FrameSplitter(MAX_FRAME_BYTES, buffer_bytes=1000)
    frame = send_frame(b"p" * 50_000)
    assert splitter.feed(frame[:900]) == []
    room = splitter.get_buffer()
    assert len(room) == len(frame) - 900  # received in place, and nothing behind it
    room[:] = frame[900:]
    assert len(splitter.buffer_updated(len(room))) == 1
    assert len(splitter.get_buffer()) == 1000


def test_the_buffer_grows_while_chunks_fill_it_and_no_further() -> None:
    splitter = FrameSplitter(MAX_FRAME_BYTES, buffer_bytes=100_000)
    stream = PING * 30_000
    sizes = set()
    while stream:
        room = splitter.get_buffer()
        sizes.add(len(room))
        part = stream[: len(room)]
        room[: len(part)] = part
        stream = stream[len(part) :]
        splitter.buffer_updated(len(part))
    assert min(sizes) <= 16_384
    assert 90_000 < max(sizes) <= 100_000


def test_there_is_always_room_to_receive() -> None:
    splitter = FrameSplitter(MAX_FRAME_BYTES, buffer_bytes=64)
    for byte in send_frame(b"x" * 300) * 3:
        room = splitter.get_buffer()
        assert len(room) > 0
        room[0] = byte
        splitter.buffer_updated(1)
    assert splitter.pending_bytes == 0


# ---- what is refused ----


def test_a_frame_over_the_limit_is_refused_at_its_first_bytes() -> None:
    frame = send_frame(b"x" * 1000)
    assert len(FrameSplitter(len(frame)).feed(frame)) == 1
    with pytest.raises(FrameSizeError, match="limit"):
        FrameSplitter(len(frame) - 1).feed(frame[:8])
    with pytest.raises(FrameSizeError, match="limit"):
        FrameSplitter(len(frame) - 1).feed(frame)


def test_the_limit_may_change_between_chunks() -> None:
    splitter = FrameSplitter(100)
    assert len(splitter.feed(PING)) == 1
    splitter.max_frame_bytes = 10_000
    assert len(splitter.feed(send_frame(b"x" * 1000))) == 1


@pytest.mark.parametrize(
    "sizes", [(0, 0), (4, 0), (7, 3), (8, 5), (100, 97), (2**32 - 1, 5), (100, 2**32 - 1)]
)
def test_sizes_that_cannot_be_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(FrameSizeError):
        split(pack(">II", *sizes) + b"\x00" * 200)
    with pytest.raises(FrameSizeError):
        split(pack(">II", *sizes))


@pytest.mark.parametrize(
    "command",
    [
        b"\x08\x06\x32\x00",  # a send without its fields
        b"\x08\x06\x32\x02\x08\x01",  # a send without sequence id
        b"\x08\x12\x0a\x00",  # a ping without its message
        b"\x08\x01\x12\x00",  # no such type
        b"\x08\x46\xb2\x04\x00",  # a type of a later version
        b"\x32\x04\x08\x01\x10\x01",  # no type
        b"\xff\xff\xff\xff\xff",  # nothing
        b"\x08\x17\xba\x01\x06\x0a\x02\xff\xfe\x10\x01",  # a lookup of a topic that is not UTF-8
    ],
)
def test_commands_that_are_none_are_refused(command: bytes) -> None:
    for filler in (0, 10_000):  # a small frame and a large one take different ways
        data = pack(">II", 4 + len(command) + filler, len(command)) + command + b"x" * filler
        with pytest.raises(CommandError):
            split(data)


def test_a_send_needs_a_payload() -> None:
    command = encode_command(api.CommandSend(producer_id=1, sequence_id=1))
    with pytest.raises(CommandError, match="payload"):
        split(command)


def test_an_error_carries_the_frames_before_it() -> None:
    bad = pack(">II", 8, 4) + b"\x08\x01\x12\x00"
    for stream in (PING * 3 + bad, PING * 3 + bad[:8] + b"\xff" * 4):
        with pytest.raises(FrameError) as caught:
            split(stream)
        assert [kind for kind, _, _ in caught.value.frames] == [api.BaseCommand.PING] * 3


def test_mutated_frames_give_frames_or_a_frame_error() -> None:
    rng = random.Random(20240229)
    pool = sorted({golden.data for golden in golden_frames() if len(golden.data) < 1000})
    frames = errors = 0
    for _ in range(MUTATIONS):
        try:
            cut = split(mutated(rng, pool), buffer_bytes=128)
        except FrameError:
            errors += 1
            continue
        for kind, message, payload in cut:
            frames += 1
            assert api.BaseCommand.Type.Name(kind)
            assert message.IsInitialized()
            assert payload is None or type(payload) is bytes
    assert errors > MUTATIONS // 10
    assert frames > MUTATIONS // 10


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the memory from /proc")
def test_a_frame_that_was_only_announced_takes_no_memory_of_its_size() -> None:
    splitter = FrameSplitter(256 << 20)
    before = resident_bytes()
    assert splitter.feed(pack(">II", 200 << 20, 20) + bytes(100)) == []
    room = splitter.get_buffer()
    assert len(room) > 190 << 20
    assert resident_bytes() - before < 20 << 20


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
