"""Packets of both versions: golden ones, every cut, rubbish, and what goes out and comes back."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_proto.bookkeeper.requests import Request
from magnetar_proto.bookkeeper.responses import Response
from magnetar_proto.bookkeeper.stream import (
    DEFAULT_MAX_FRAME_BYTES,
    RequestStream,
    ResponseStream,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from magnetar_proto.errors import FrameError, FrameSizeError

from tests.proto.bookkeeper import strategies
from tests.proto.bookkeeper.vectors import LONG_POLL, REFUSED, REQUESTS, RESPONSES

MUTATIONS = 20_000


def request_bytes(request: Request) -> bytes:
    parts: list[bytes] = []
    encode_request(request, parts)
    return b"".join(parts)


def response_bytes(response: Response) -> bytes:
    parts: list[bytes] = []
    encode_response(response, parts)
    return b"".join(parts)


def sized(packet: str) -> bytes:
    body = bytes.fromhex(packet)
    return len(body).to_bytes(4, "big") + body


def requests_of(data: bytes, **options: int) -> list[Request]:
    return RequestStream(DEFAULT_MAX_FRAME_BYTES, **options).feed(data)


# ---- golden packets ----


@pytest.mark.parametrize(("packet", "request_"), REQUESTS)
def test_golden_requests_are_read_and_made(packet: str, request_: Request) -> None:
    (read,) = requests_of(sized(packet))
    assert read == request_
    assert type(read) is type(request_)
    assert request_bytes(request_) == sized(packet)


@pytest.mark.parametrize(("packet", "request_"), [LONG_POLL, *REFUSED])
def test_golden_requests_that_we_make_otherwise_or_never(packet: str, request_: Request) -> None:
    assert requests_of(sized(packet)) == [request_]


@pytest.mark.parametrize(("packet", "response"), RESPONSES)
def test_golden_responses_are_read_and_made(packet: str, response: Response) -> None:
    (read,) = ResponseStream(DEFAULT_MAX_FRAME_BYTES).feed(sized(packet))
    assert read == response
    assert type(read) is type(response)
    assert response_bytes(response) == sized(packet)


# ---- cuts ----

ALL_REQUESTS = b"".join(sized(packet) for packet, _ in REQUESTS)
ALL_RESPONSES = b"".join(sized(packet) for packet, _ in RESPONSES)


@pytest.mark.parametrize("buffer_bytes", [64, 262_144])
def test_requests_cut_at_every_byte(buffer_bytes: int) -> None:
    expected = [request for _, request in REQUESTS]
    for cut in range(1, len(ALL_REQUESTS)):
        stream = RequestStream(DEFAULT_MAX_FRAME_BYTES, buffer_bytes=buffer_bytes)
        first = stream.feed(ALL_REQUESTS[:cut])
        assert first + stream.feed(ALL_REQUESTS[cut:]) == expected
        assert stream.pending_bytes == 0


def test_responses_cut_at_every_byte() -> None:
    expected = [response for _, response in RESPONSES]
    for cut in range(1, len(ALL_RESPONSES)):
        stream = ResponseStream(DEFAULT_MAX_FRAME_BYTES)
        first = stream.feed(ALL_RESPONSES[:cut])
        assert first + stream.feed(ALL_RESPONSES[cut:]) == expected


def test_packets_byte_by_byte() -> None:
    stream = RequestStream(DEFAULT_MAX_FRAME_BYTES, buffer_bytes=64)
    found = [
        request
        for place in range(len(ALL_REQUESTS))
        for request in stream.feed(ALL_REQUESTS[place : place + 1])
    ]
    assert found == [request for _, request in REQUESTS]


@pytest.mark.parametrize("decode", [decode_request, decode_response])
def test_a_packet_cut_short_is_refused_or_comes_back_as_it_is(
    decode: Callable[[bytes], Request | Response],
) -> None:
    """A shorter binary packet may be a whole one; protobuf has its lengths inside."""
    rows = REQUESTS if decode is decode_request else RESPONSES
    for packet, whole in rows:
        body = bytes.fromhex(packet)
        for size in range(1, len(body)):
            try:
                read = decode(body[:size])
            except FrameError:
                continue
            assert read != whole


@settings(deadline=None, max_examples=60)
@given(st.lists(strategies.requests, max_size=8), st.integers(0, 1 << 30))
def test_requests_of_any_size_in_any_chunks(requests: list[Request], seed: int) -> None:
    rng = random.Random(seed)
    big = requests_of(ALL_REQUESTS)[0]._replace(payload=rng.randbytes(70_000))
    wanted = [*requests, big, *requests]
    data = b"".join(map(request_bytes, wanted))
    stream = RequestStream(DEFAULT_MAX_FRAME_BYTES, buffer_bytes=rng.choice((100, 16_384, 65_536)))
    found: list[Request] = []
    while data:
        chunk_bytes = rng.choice((1, 50, 5000, 60_000))
        found += stream.feed(data[:chunk_bytes])
        data = data[chunk_bytes:]
    assert found == wanted


# ---- there and back ----


@settings(deadline=None, max_examples=400)
@given(strategies.requests)
def test_every_request_comes_back(request_: Request) -> None:
    (read,) = requests_of(request_bytes(request_))
    assert read == request_
    assert type(read) is type(request_)


@settings(deadline=None, max_examples=400)
@given(strategies.responses)
def test_every_response_comes_back(response: Response) -> None:
    (read,) = ResponseStream(DEFAULT_MAX_FRAME_BYTES).feed(response_bytes(response))
    assert read == response
    assert type(read) is type(response)


# ---- what is refused ----


@pytest.mark.parametrize("size", [0, 1, 3, 65, 2**31 - 1, 2**31, 2**32 - 1])
def test_sizes_that_cannot_be_are_refused_at_once(size: int) -> None:
    with pytest.raises(FrameSizeError):
        RequestStream(68).feed(size.to_bytes(4, "big"))


def test_the_limit_counts_the_whole_frame() -> None:
    frame = sized(REQUESTS[0][0])
    assert len(RequestStream(len(frame)).feed(frame)) == 1
    with pytest.raises(FrameSizeError, match="limit"):
        RequestStream(len(frame) - 1).feed(frame)


def test_packets_before_the_break_are_given_with_the_error() -> None:
    with pytest.raises(FrameError) as caught:
        requests_of(ALL_REQUESTS + sized("02ff0000"))
    assert caught.value.frames == [request for _, request in REQUESTS]


def test_nothing_refers_to_the_buffer() -> None:
    stream = RequestStream(DEFAULT_MAX_FRAME_BYTES)
    big = requests_of(ALL_REQUESTS)[0]._replace(payload=b"l" * 6000)
    data = ALL_REQUESTS + request_bytes(big)
    room = stream.get_buffer()
    room[: len(data)] = data
    found = stream.buffer_updated(len(data))
    room[:] = b"\xff" * len(room)
    assert found == [*[request for _, request in REQUESTS], big]
    assert all(type(part) is not memoryview for request in found for part in request)


def _mutated(rng: random.Random, packet: bytes) -> bytes:
    data = bytearray(packet)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(data)) if data else 0
        way = rng.randrange(4) if data else 3
        if way == 0:
            data[place] = rng.randrange(256)
        elif way == 1:
            data[place] ^= 1 << rng.randrange(8)
        elif way == 2:
            del data[place : place + rng.randint(1, 8)]
        else:
            data[place:place] = rng.randbytes(rng.randint(1, 8))
    return bytes(data) or b"\0"


def test_mutated_requests_are_read_or_refused_cleanly() -> None:
    rng = random.Random(6)
    pool = [bytes.fromhex(packet) for packet, _ in REQUESTS]
    outcomes = {"read": 0, "refused": 0}
    for _ in range(MUTATIONS):
        try:
            decode_request(_mutated(rng, rng.choice(pool)))
        except FrameError:
            outcomes["refused"] += 1
            continue
        outcomes["read"] += 1
    assert min(outcomes.values()) > MUTATIONS // 10


def test_mutated_responses_are_read_or_refused_cleanly() -> None:
    rng = random.Random(7)
    pool = [bytes.fromhex(packet) for packet, _ in RESPONSES]
    outcomes = {"read": 0, "refused": 0}
    for _ in range(MUTATIONS):
        try:
            decode_response(_mutated(rng, rng.choice(pool)))
        except FrameError:
            outcomes["refused"] += 1
        else:
            outcomes["read"] += 1
    assert min(outcomes.values()) > MUTATIONS // 10
