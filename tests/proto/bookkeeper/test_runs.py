"""What is cut as runs says the same as what is cut one by one."""

import random
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_proto.bookie import RECOVERY_ADD, Status
from magnetar_proto.bookkeeper.requests import VERSION_2, AddRequest, AddRun, ReadRequest, Request
from magnetar_proto.bookkeeper.responses import AddedRun, AddResponse, ReadResponse, Response
from magnetar_proto.bookkeeper.runs import distinct
from magnetar_proto.bookkeeper.stream import (
    RequestRunStream,
    RequestStream,
    ResponseRunStream,
    encode_request,
    encode_response,
)
from magnetar_proto.errors import FrameError, FrameSizeError

KEY = b"k" * 20
MAX_FRAME_BYTES = 100_000


def add(
    ledger_id: int, entry_id: int, size: int = 100, key: bytes = KEY, flags: int = 0
) -> AddRequest:
    header = struct.pack(">qqqq", ledger_id, entry_id, entry_id - 1, size)
    payload = bytes([entry_id % 251]) * size
    return AddRequest(VERSION_2, 0, flags, ledger_id, entry_id, key, header, payload)


def wire(requests: Sequence[Request]) -> bytes:
    parts: list[bytes] = []
    for request in requests:
        encode_request(request, parts)
    return b"".join(parts)


def single(items: Sequence[Request | AddRun]) -> list[Request]:
    """Runs taken apart."""
    requests: list[Request] = []
    for item in items:
        if isinstance(item, AddRun):
            for entry_id, header, payload in zip(
                item.entry_ids, item.headers, item.payloads, strict=True
            ):
                requests.append(
                    AddRequest(
                        item.version, 0, item.flags, item.ledger_id, entry_id, item.master_key,
                        header, payload,
                    )
                )  # fmt: skip
        else:
            requests.append(item)
    return requests


def by_ledger(requests: Sequence[Request]) -> list[Request]:
    """Adds between two other requests in the order of their ledgers: that of different ledgers
    does not matter."""
    ordered: list[Request] = []
    adds: list[AddRequest] = []
    for request in (*requests, None):
        if isinstance(request, AddRequest):
            adds.append(request)
            continue
        ordered += sorted(adds, key=lambda each: each.ledger_id)
        adds = []
        if request is not None:
            ordered.append(request)
    return ordered


stretches = st.tuples(
    st.integers(1, 40),  # entries
    st.integers(1, 3),  # ledgers
    st.sampled_from([0, 4, 100, 100, 4096, 20_000]),  # payload bytes
    st.sampled_from([KEY, KEY, b"o" * 20]),
    st.sampled_from([0, 0, RECOVERY_ADD]),
    st.sampled_from(["", "", "read", "twice"]),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(stretches, max_size=8), st.integers(0, 1 << 30))
def test_runs_in_any_chunks(parts: list[tuple[int, int, int, bytes, int, str]], seed: int) -> None:
    rng, wanted, following = random.Random(seed), list[Request](), 0
    for count, ledgers, size, key, flags, behind in parts:
        for place in range(count):
            wanted.append(add(7 + place % ledgers, following + place // ledgers, size, key, flags))
        following += count
        if behind == "read":
            wanted.append(ReadRequest(VERSION_2, 0, 0, 7, 3))
        elif behind == "twice":
            wanted.append(wanted[-1])
    data = wire(wanted)
    stream, found = RequestRunStream(MAX_FRAME_BYTES), list[Request | AddRun]()
    while data:
        size = rng.choice((1, 500, 20_000, 200_000))
        found += stream.feed(data[:size])
        data = data[size:]
    assert by_ledger(single(found)) == by_ledger(wanted)


def test_entries_of_one_length_are_one_run_per_ledger() -> None:
    requests = [add(5 + n % 2, n // 2) for n in range(40)]
    first, second = RequestRunStream(MAX_FRAME_BYTES).feed(wire(requests))
    assert isinstance(first, AddRun)
    assert isinstance(second, AddRun)
    assert (first.ledger_id, first.entry_ids) == (5, range(20))
    assert (second.ledger_id, second.entry_ids) == (6, range(20))


def test_nothing_of_a_run_refers_to_the_buffer() -> None:
    stream = RequestRunStream(MAX_FRAME_BYTES)
    (run,) = stream.feed(wire([add(5, n) for n in range(9)]))
    stream.feed(wire([add(6, n, key=b"z" * 20) for n in range(9)]))
    assert single([run]) == [add(5, n) for n in range(9)]


@pytest.mark.parametrize(
    "odd",
    [
        [add(5, 4), add(5, 4)],
        [add(5, 4)._replace(entry_id=-7, header=struct.pack(">qqqq", 5, -7, 0, 0))],
        [add(5, 4)._replace(header=struct.pack(">qqqq", -5, 4, 0, 0))],
        [add(5, 4)._replace(version=1)],
        [add(5, 4)._replace(version=3)],
    ],
    ids=["an id twice", "a negative id", "a negative ledger", "version 1", "version 3"],
)
@pytest.mark.parametrize("before", [0, 2, 20])
def test_what_is_odd_is_read_one_by_one(before: int, odd: list[AddRequest]) -> None:
    data = wire([*(add(9, n) for n in range(before)), *odd, *(add(9, 50 + n) for n in range(20))])
    found = RequestRunStream(MAX_FRAME_BYTES).feed(data)
    wanted = RequestStream(MAX_FRAME_BYTES).feed(data)
    assert by_ledger(single(found)) == by_ledger(wanted)


def test_a_stream_that_breaks_behind_a_run_has_the_run() -> None:
    requests = [add(5, n) for n in range(9)]
    for rubbish in (b"\x00\x00\x00\x04\x02\x63\x00\x00", b"\x7f\xff\xff\xff"):
        with pytest.raises(FrameError) as caught:
            RequestRunStream(MAX_FRAME_BYTES).feed(wire(requests) + rubbish)
        assert single(caught.value.frames) == requests


def test_too_large_is_too_large_however_many_there_are() -> None:
    with pytest.raises(FrameSizeError):
        RequestRunStream(100).feed(wire([add(5, n) for n in range(9)]))


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.integers(1, 2), st.sampled_from(["ok", "read", "failed"])),
        max_size=8,
    ),
    st.integers(0, 1 << 30),
)
def test_answers_in_any_chunks(parts: list[tuple[int, int, str]], seed: int) -> None:
    rng, wanted, following = random.Random(seed), list[Response](), 0
    for count, ledgers, behind in parts:
        for place in range(count):
            ledger_id, entry_id = 7 + place % ledgers, following + place // ledgers
            wanted.append(AddResponse(VERSION_2, 0, Status.OK, ledger_id, entry_id))
        following += count
        if behind == "read":
            wanted.append(ReadResponse(VERSION_2, 0, Status.OK, 7, 3, b"entry" * 20))
        elif behind == "failed":
            wanted.append(AddResponse(VERSION_2, 0, Status.FENCED, 7, following))
    encoded: list[bytes] = []
    for response in wanted:
        encode_response(response, encoded)
    data = b"".join(encoded)
    stream, found = ResponseRunStream(MAX_FRAME_BYTES), list[Response]()
    while data:
        size = rng.choice((1, 100, 5000))
        for item in stream.feed(data[:size]):
            if isinstance(item, AddedRun):
                found += [AddResponse(2, 0, Status.OK, item.ledger_id, e) for e in item.entry_ids]
            else:
                found.append(item)
        data = data[size:]
    for ledger_id in (7, 8):
        assert [each for each in found if each.ledger_id == ledger_id] == [
            each for each in wanted if each.ledger_id == ledger_id
        ]


def test_ids_that_follow_on_are_a_range() -> None:
    assert distinct((4, 5, 6)) == range(4, 7)
    assert distinct([4, 6, 5, 7]) == [4, 6, 5, 7]
    assert distinct([4, 6]) == [4, 6]
    assert distinct([4, 5, 5, 7]) is None
