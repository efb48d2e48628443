"""Requests out, responses in, without a socket."""

import random
from collections.abc import Sequence

import pytest
from magnetar_ledger.network.calls import BookieCalls
from magnetar_ledger.network.ends import AddsEnded, Ended, LacEnded, ReadEnded
from magnetar_proto.bookie import FENCE, LAST_ENTRY, RECOVERY_ADD, AddSink, Status
from magnetar_proto.bookkeeper.requests import (
    AddRequest,
    BatchReadRequest,
    ForceLedgerRequest,
    ReadRequest,
    Request,
    WriteLacRequest,
)
from magnetar_proto.bookkeeper.responses import (
    AddedRun,
    AddResponse,
    BatchReadResponse,
    ErrorResponse,
    ForceLedgerResponse,
    ReadLacResponse,
    ReadResponse,
    Response,
    WriteLacResponse,
)
from magnetar_proto.bookkeeper.stream import DEFAULT_MAX_FRAME_BYTES, RequestStream

from tests.proto.bookie_contract import KEY, LEDGER, Adds, Reads, entry_of, header_of, payload_of

VERSIONS = [2, 10]


def sent(calls: BookieCalls) -> list[Request]:
    parts, calls.parts = calls.parts, []
    return RequestStream(DEFAULT_MAX_FRAME_BYTES).feed(b"".join(parts))


def add(calls: BookieCalls, entry_ids: Sequence[int], sink: AddSink, flags: int = 0) -> None:
    headers = [header_of(LEDGER, entry_id) for entry_id in entry_ids]
    payloads = [payload_of(entry_id) for entry_id in entry_ids]
    calls.add(LEDGER, entry_ids, KEY, headers, payloads, flags, sink)


def answer(request: Request, status: Status = Status.OK) -> AddResponse | ReadResponse:
    if isinstance(request, AddRequest):
        return AddResponse(
            request.version, request.txn_id, status, request.ledger_id, request.entry_id
        )
    assert isinstance(request, ReadRequest)
    found = entry_of(max(request.entry_id, 0)) if status is Status.OK else None
    return ReadResponse(
        request.version, request.txn_id, status, request.ledger_id, request.entry_id, found
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_adds_end_in_order_whatever_the_order_of_the_responses(version: int) -> None:
    calls, sink = BookieCalls(version), Adds()
    add(calls, range(20), sink)
    requests = sent(calls)
    assert [request.entry_id for request in requests if isinstance(request, AddRequest)] == list(
        range(20)
    )
    assert calls.pending_bytes == sum(len(entry_of(e)) for e in range(20))
    random.Random(1).shuffle(requests)
    (end,) = calls.responded([answer(request) for request in requests])
    assert end == AddsEnded(sink, list(range(20)), Status.OK)
    assert calls.idle
    assert calls.pending_bytes == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_adds_of_two_sinks_and_statuses_are_told_apart(version: int) -> None:
    calls, one, other = BookieCalls(version), Adds(), Adds()
    add(calls, [0, 1], one)
    add(calls, [2], other)
    requests = sent(calls)
    statuses = [Status.OK, Status.IO_ERROR, Status.OK]
    responses = [answer(r, s) for r, s in zip(requests, statuses, strict=True)]
    assert calls.responded(responses) == [
        AddsEnded(one, [0], Status.OK),
        AddsEnded(one, [1], Status.IO_ERROR),
        AddsEnded(other, [2], Status.OK),
    ]


def added(entry_ids: Sequence[int]) -> list[Response | AddedRun]:
    return [AddedRun(LEDGER, tuple(entry_ids))]


def test_a_run_of_answers_ends_adds_of_many_calls() -> None:
    calls, one, other = BookieCalls(2), Adds(), Adds()
    add(calls, range(10), one)
    add(calls, range(10, 14), other)
    add(calls, [14, 16], one)
    size = calls.pending_bytes
    assert calls.responded(added(range(4))) == [AddsEnded(one, [0, 1, 2, 3], Status.OK)]
    assert size * 0.6 < calls.pending_bytes < size * 0.9
    ends = calls.responded(added([99, 6, 5, 4, *range(8, 15), 99, 16]))
    assert ends == [
        AddsEnded(one, [4, 5, 6, 8, 9, 14, 16], Status.OK),
        AddsEnded(other, [10, 11, 12, 13], Status.OK),
    ]
    assert calls.responded(added([7])) == [AddsEnded(one, [7], Status.OK)]
    assert calls.idle
    assert calls.pending_bytes == 0


def test_a_run_of_answers_lets_a_request_go_that_was_held_back() -> None:
    calls, writer, recovery = BookieCalls(2), Adds(), Adds()
    add(calls, range(4), writer)
    add(calls, [2], recovery, RECOVERY_ADD)
    assert len(sent(calls)) == 4
    assert calls.responded(added(range(4))) == [AddsEnded(writer, [0, 1, 2, 3], Status.OK)]
    (request,) = sent(calls)
    assert isinstance(request, AddRequest)
    assert request.flags == RECOVERY_ADD
    assert calls.responded(added([2])) == [AddsEnded(recovery, [2], Status.OK)]
    assert calls.idle


def test_what_timed_out_of_a_call_does_not_end_again() -> None:
    calls, sink = BookieCalls(2), Adds()
    add(calls, range(6), sink)
    calls.responded(added([0, 1]))
    assert calls.overdue(calls.next_number) == [AddsEnded(sink, [2, 3, 4, 5], Status.TIMEOUT)]
    add(calls, range(6, 8), sink)
    assert calls.responded(added(range(2, 8))) == [AddsEnded(sink, [6, 7], Status.OK)]
    assert (calls.pending_bytes, calls.given_up) == (0, 0)


def test_adds_in_no_order_are_told_in_theirs() -> None:
    calls, sink = BookieCalls(2), Adds()
    add(calls, [3, 1, 2], sink)
    assert calls.responded(added([1, 2, 3])) == [AddsEnded(sink, [3, 1, 2], Status.OK)]


def test_a_plain_read_cannot_end_a_fencing_one() -> None:
    """1. A fencing read of the last entry is under way, and a plain one. 2. The bookie answers the
    plain one first: the fence is not durable yet. 3. In version 2 both answers look the same.
    """
    calls, fencing, plain = BookieCalls(2), Reads(), Reads()
    calls.read(LEDGER, LAST_ENTRY, 1, 0, FENCE, KEY, fencing, 1)
    calls.read(LEDGER, LAST_ENTRY, 1, 0, 0, b"", plain, 2)
    (request,) = sent(calls)
    assert isinstance(request, ReadRequest)
    assert request.flags == FENCE
    (end,) = calls.responded([answer(request)])
    assert isinstance(end, ReadEnded)
    assert end.context == 1
    (request,) = sent(calls)
    (end,) = calls.responded([answer(request)])
    assert isinstance(end, ReadEnded)
    assert end.context == 2


def test_a_recovery_add_cannot_end_the_add_of_the_fenced_writer() -> None:
    calls, writer, recovery = BookieCalls(2), Adds(), Adds()
    add(calls, [5], writer)
    add(calls, [5], recovery, RECOVERY_ADD)
    (request,) = sent(calls)
    assert calls.responded([answer(request, Status.FENCED)]) == [
        AddsEnded(writer, [5], Status.FENCED)
    ]
    (request,) = sent(calls)
    assert isinstance(request, AddRequest)
    assert request.flags == RECOVERY_ADD
    assert calls.responded([answer(request)]) == [AddsEnded(recovery, [5], Status.OK)]


def test_version_3_needs_to_hold_nothing_back() -> None:
    calls = BookieCalls(10)
    add(calls, [5], Adds())
    add(calls, [5], Adds(), RECOVERY_ADD)
    assert len(sent(calls)) == 2


def read_run(statuses: Sequence[Status], max_bytes: int = 10_000) -> Ended:
    calls, sink = BookieCalls(2), Reads()
    calls.read(LEDGER, 3, len(statuses), max_bytes, 0, b"", sink, 9)
    pairs = list(zip(sent(calls), statuses, strict=True))
    for request, status in reversed(pairs[1:]):
        assert calls.responded([answer(request, status)]) == []
    (end,) = calls.responded([answer(*pairs[0])])
    return end


def test_single_reads_make_a_run_up_to_the_first_that_fails() -> None:
    ok = Status.OK
    end = read_run([ok, ok, Status.IO_ERROR, ok])
    assert isinstance(end, ReadEnded)
    assert (end.context, end.status, end.first_entry_id) == (9, ok, 3)
    assert list(end.entries) == [entry_of(3), entry_of(4)]
    end = read_run([Status.NO_ENTRY, ok])
    assert isinstance(end, ReadEnded)
    assert (end.status, list(end.entries)) == (Status.NO_ENTRY, [])
    end = read_run([ok, ok, ok], 2 * len(entry_of(3)))
    assert isinstance(end, ReadEnded)
    assert len(end.entries) == 2


def test_an_answer_that_says_ok_without_an_entry_is_no_answer() -> None:
    calls, sink = BookieCalls(2), Reads()
    calls.read(LEDGER, 3, 1, 100, 0, b"", sink, 9)
    (end,) = calls.responded([ReadResponse(2, 0, Status.OK, LEDGER, 3)])
    assert isinstance(end, ReadEnded)
    assert end.status is Status.IO_ERROR


def test_the_last_entry_has_the_id_that_stands_in_it() -> None:
    calls, sink = BookieCalls(2), Reads()
    calls.read(LEDGER, LAST_ENTRY, 50, 100, 0, b"", sink, 9)
    assert len(sent(calls)) == 1
    (end,) = calls.responded([ReadResponse(2, 0, Status.OK, LEDGER, LAST_ENTRY, entry_of(41))])
    assert isinstance(end, ReadEnded)
    assert end.first_entry_id == 41


def test_a_batch_read_asks_for_what_stands_around_the_entries_too() -> None:
    calls, sink = BookieCalls(2), Reads()
    calls.batch_read(LEDGER, 3, 10, 1000, 0, b"", sink, 9)
    (request,) = sent(calls)
    assert isinstance(request, BatchReadRequest)
    assert (request.max_entries, request.max_bytes) == (10, 1000 + 32 + 40)
    assert calls.batches_under_way == 1
    entries = tuple(entry_of(e) for e in range(3, 40))
    (end,) = calls.responded(
        [BatchReadResponse(2, Status.OK, LEDGER, 3, request.request_id, entries)]
    )
    assert isinstance(end, ReadEnded)
    assert list(end.entries) == list(entries)[: 1000 // len(entries[0])]
    assert calls.batches_under_way == 0


def test_a_bare_error_of_version_3_ends_its_call() -> None:
    calls, adds, reads = BookieCalls(10), Adds(), Reads()
    add(calls, [0], adds)
    calls.read(LEDGER, 0, 1, 10, 0, b"", reads, 1)
    sent(calls)
    ends = calls.responded(
        [
            ErrorResponse(10, 1, 2, Status.BAD_REQUEST),
            ErrorResponse(10, 2, 1, Status.UNAUTHORIZED),
        ]
    )
    assert [end.status for end in ends] == [Status.BAD_REQUEST, Status.UNAUTHORIZED]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_response_to_nothing_is_nothing(version: int) -> None:
    calls = BookieCalls(version)
    assert calls.responded([AddResponse(version, 77, Status.OK, LEDGER, 0)]) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lost_connection_ends_everything_as_unknown(version: int) -> None:
    calls, adds, reads = BookieCalls(version), Adds(), Reads()
    add(calls, [0, 1], adds)
    add(calls, [1], adds)
    calls.read(LEDGER, 0, 3, 10, 0, b"", reads, 1)
    ends = calls.lost()
    assert ends[0] == AddsEnded(adds, [0, 1, 1], Status.UNAVAILABLE)
    assert [end.status for end in ends[1:]] == [Status.UNAVAILABLE]
    assert calls.idle
    assert (calls.parts, calls.pending_bytes) == ([], 0)


def test_overdue_calls_time_out_and_their_late_responses_are_dropped() -> None:
    calls, sink = BookieCalls(2), Adds()
    add(calls, [0, 1], sink)
    mark = calls.next_number
    add(calls, [2], sink)
    requests = sent(calls)
    assert calls.overdue(mark) == [AddsEnded(sink, [0, 1], Status.TIMEOUT)]
    ends = calls.responded([answer(request) for request in requests])
    assert ends == [AddsEnded(sink, [2], Status.OK)]
    assert calls.pending_bytes == 0


def test_explicit_lacs_are_calls_like_others() -> None:
    calls, told = BookieCalls(10), list[tuple[Status, bytes | None]]()

    def done(status: Status, body: bytes | None) -> None:
        told.append((status, body))

    calls.write_lac(LEDGER, 5, KEY, b"body", done)
    for _ in range(3):
        calls.read_lac(LEDGER, done)
    written, *reads = sent(calls)
    assert isinstance(written, WriteLacRequest)
    assert (written.lac, written.master_key, written.body) == (5, KEY, b"body")
    ends = calls.responded(
        [
            WriteLacResponse(1, Status.OK, LEDGER),
            ReadLacResponse(2, Status.OK, LEDGER, b"body", None),
            ErrorResponse(10, 3, 7, Status.BAD_REQUEST),
        ]
    )
    ends += calls.lost()
    assert len(reads) == 3
    for end in ends:
        assert isinstance(end, LacEnded)
        end.done(end.status, end.body)
    assert told == [
        (Status.OK, None),
        (Status.OK, b"body"),
        (Status.BAD_REQUEST, None),
        (Status.UNAVAILABLE, None),
    ]
    assert calls.idle


def test_a_force_is_a_call_like_others() -> None:
    calls, told = BookieCalls(10), list[Status]()
    for _ in range(3):
        calls.force(LEDGER, told.append)
    assert sent(calls) == [ForceLedgerRequest(number, LEDGER) for number in (1, 2, 3)]
    ends = calls.responded(
        [
            ForceLedgerResponse(2, Status.OK, LEDGER),
            ErrorResponse(10, 1, 10, Status.IO_ERROR),
        ]
    )
    ends += calls.lost()
    for end in ends:
        assert isinstance(end, LacEnded)
        end.done(end.status, end.body)
    assert told == [Status.OK, Status.IO_ERROR, Status.UNAVAILABLE]
    assert calls.idle
