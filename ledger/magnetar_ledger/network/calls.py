"""What is under way on one connection to a bookie: requests out, responses in, ends told.

Pure: a shell writes `parts`, brings the responses, and calls the sinks of the `Ends` it gets.
"""

from collections.abc import Hashable, Sequence
from itertools import count, repeat
from typing import Final, NamedTuple

from magnetar_proto.bookie import LAST_ENTRY, AddSink, ReadSink, Status
from magnetar_proto.bookkeeper.requests import (
    VERSION_2,
    VERSION_3,
    AddRequest,
    BatchReadRequest,
    Operation,
    ReadLacRequest,
    ReadRequest,
    WriteLacRequest,
)
from magnetar_proto.bookkeeper.responses import (
    AddResponse,
    BatchReadResponse,
    ErrorResponse,
    ReadLacResponse,
    ReadResponse,
    Response,
    WriteLacResponse,
)
from magnetar_proto.bookkeeper.stream import encode_request

from magnetar_ledger.digest import entry_id_of
from magnetar_ledger.lac_keeper import LacDone
from magnetar_ledger.network.add_frames import AddFrames
from magnetar_ledger.network.pending_rows import PendingRows

_BATCH_HEAD_BYTES: Final = 32
_BATCH_ENTRY_BYTES: Final = 4
_MAX_COUNT: Final = 2**31 - 1


class AddRow(NamedTuple):
    """An add under way."""

    number: int
    entry_id: int
    sink: AddSink
    size_bytes: int


class AddsEnded(NamedTuple):
    """Adds of one sink that ended alike, in the order in which they were made."""

    sink: AddSink
    entry_ids: list[int]
    status: Status


class ReadEnded(NamedTuple):
    """A read that ended."""

    sink: ReadSink
    context: int
    status: Status
    first_entry_id: int
    entries: Sequence[bytes]


class RunRead:
    """A read of entries that follow on, as one request or as one for each."""

    __slots__ = ("_answers", "_first", "_max_bytes", "_sink", "context", "waiting")

    def __init__(
        self, first_entry_id: int, requests: int, max_bytes: int, sink: ReadSink, context: int
    ) -> None:
        self._first = first_entry_id
        self._max_bytes = max_bytes
        self._sink = sink
        self.context = context
        self.waiting = requests
        self._answers: dict[int, tuple[Status, Sequence[bytes]]] = {}

    def answered(self, place: int, status: Status, entries: Sequence[bytes]) -> ReadEnded | None:
        """Take the answer of one request; the end of the read if it was the last."""
        self._answers[place] = status, entries
        self.waiting -= 1
        return None if self.waiting else self._end()

    def _end(self) -> ReadEnded:
        status, entries = Status.OK, list[bytes]()
        for place in sorted(self._answers):
            status, found = self._answers[place]
            if status is not Status.OK or not found:
                break
            entries += found
        if not entries:
            status = Status.IO_ERROR if status is Status.OK else status
            return ReadEnded(self._sink, self.context, status, self._first, ())
        first = entry_id_of(entries[0]) if self._first == LAST_ENTRY else self._first
        return ReadEnded(self._sink, self.context, Status.OK, first, self._trimmed(entries))

    def _trimmed(self, entries: list[bytes]) -> list[bytes]:
        total = 0
        for place, entry in enumerate(entries):
            total += len(entry)
            if place and total > self._max_bytes:
                return entries[:place]
        return entries


class ReadRow(NamedTuple):
    """One request of a read."""

    read: RunRead
    place: int
    batch: bool


class LacEnded(NamedTuple):
    """A call about an explicit LAC that ended."""

    done: LacDone
    status: Status
    body: bytes | None


Ended = AddsEnded | ReadEnded | LacEnded


class BookieCalls:
    """The calls of one connection."""

    def __init__(self, version: int, frames: AddFrames | None = None) -> None:
        """Args: `frames` may be shared with other bookies."""
        assert version in (VERSION_2, VERSION_3)
        self.version = version
        self._frames = frames or AddFrames()
        self.parts: list[bytes] = []  # to be written, in order; the shell takes them
        self.pending_bytes = 0  # of adds that are not answered
        self.batches_under_way = 0
        self.next_number = 1  # of a call; also the transaction ids of version 3
        self._adds: PendingRows[AddRow] = PendingRows()
        self._reads: PendingRows[ReadRow] = PendingRows()
        self._lacs: PendingRows[LacDone] = PendingRows()

    @property
    def given_up(self) -> int:
        """Calls that timed out and whose responses may still come."""
        return self._adds.given_up + self._reads.given_up + self._lacs.given_up

    @property
    def pending_reads(self) -> int:
        """Requests of reads that are not answered."""
        return len(self._reads)

    @property
    def idle(self) -> bool:
        return not self._adds and not self._reads and not self._lacs

    def add(
        self,
        ledger_id: int,
        entry_ids: Sequence[int],
        master_key: bytes,
        headers: Sequence[bytes],
        payloads: Sequence[bytes],
        flags: int,
        sink: AddSink,
    ) -> None:
        """Adds of one ledger, as `Bookie.add`."""
        if not self._add_run(ledger_id, entry_ids, master_key, headers, payloads, flags, sink):
            for entry_id, header, payload in zip(entry_ids, headers, payloads, strict=True):
                self._add_one(ledger_id, entry_id, master_key, header, payload, flags, sink)

    def _add_run(
        self,
        ledger_id: int,
        entry_ids: Sequence[int],
        master_key: bytes,
        headers: Sequence[bytes],
        payloads: Sequence[bytes],
        flags: int,
        sink: AddSink,
    ) -> bool:
        """The quick way; false if the frames differ from bookie to bookie, or one must wait."""
        if self.version != VERSION_2:
            return False
        keys = [(ledger_id, entry_id) for entry_id in entry_ids]
        sizes = [
            len(header) + len(payload) for header, payload in zip(headers, payloads, strict=True)
        ]
        first = self.next_number
        rows = map(AddRow, count(first), entry_ids, repeat(sink), sizes)
        if not self._adds.put_run(keys, first, rows):
            return False
        self.next_number += len(keys)
        self.pending_bytes += sum(sizes)
        self.parts += self._frames.parts(master_key, headers, payloads, flags)
        return True

    def _add_one(
        self,
        ledger_id: int,
        entry_id: int,
        master_key: bytes,
        header: bytes,
        payload: bytes,
        flags: int,
        sink: AddSink,
    ) -> None:
        number = self._number()
        request = AddRequest(
            self.version, number, flags, ledger_id, entry_id, master_key, header, payload
        )
        row = AddRow(number, entry_id, sink, len(header) + len(payload))
        self.pending_bytes += row.size_bytes
        if self._adds.put(self._key(number, ledger_id, entry_id), number, row, request):
            encode_request(request, self.parts)

    def read(
        self,
        ledger_id: int,
        first_entry_id: int,
        max_entries: int,
        max_bytes: int,
        flags: int,
        master_key: bytes,
        sink: ReadSink,
        context: int,
    ) -> None:
        """As `Bookie.read`; one request for each entry."""
        wanted = 1 if first_entry_id == LAST_ENTRY else max_entries
        read = RunRead(first_entry_id, wanted, max_bytes, sink, context)
        for place in range(wanted):
            number, entry_id = self._number(), first_entry_id + place
            request = ReadRequest(self.version, number, flags, ledger_id, entry_id, master_key)
            row = ReadRow(read, place, False)
            if self._reads.put(self._key(number, ledger_id, entry_id), number, row, request):
                encode_request(request, self.parts)

    def batch_read(
        self,
        ledger_id: int,
        first_entry_id: int,
        max_entries: int,
        max_bytes: int,
        flags: int,
        master_key: bytes,
        sink: ReadSink,
        context: int,
    ) -> None:
        """As `Bookie.read`, not of `LAST_ENTRY`; one request for all. Version 2 only."""
        number = self._number()
        read = RunRead(first_entry_id, 1, max_bytes, sink, context)
        # The bookie counts what stands around the entries too.
        limit = max_bytes + _BATCH_HEAD_BYTES + _BATCH_ENTRY_BYTES * max_entries
        count_limit = min(max_entries, _MAX_COUNT)
        request = BatchReadRequest(
            VERSION_2, flags, ledger_id, first_entry_id, number, count_limit, limit, master_key
        )
        self._reads.put(number, number, ReadRow(read, 0, True), request)
        self.batches_under_way += 1
        encode_request(request, self.parts)

    def write_lac(
        self, ledger_id: int, lac: int, master_key: bytes, body: bytes, done: LacDone
    ) -> None:
        """Keep an explicit LAC. Version 3 only."""
        number = self._number()
        request = WriteLacRequest(number, ledger_id, lac, master_key, body)
        self._lacs.put(number, number, done, request)
        encode_request(request, self.parts)

    def read_lac(self, ledger_id: int, done: LacDone) -> None:
        """Read the explicit LAC. Version 3 only."""
        number = self._number()
        request = ReadLacRequest(number, ledger_id)
        self._lacs.put(number, number, done, request)
        encode_request(request, self.parts)

    def responded(self, responses: Sequence[Response]) -> list[Ended]:
        """Take what came in one piece."""
        ends = _Ends()
        for response in responses:
            if isinstance(response, AddResponse):
                key = self._key(response.txn_id, response.ledger_id, response.entry_id)
                self._add_responded(key, response.status, ends)
            elif isinstance(response, ReadResponse):
                key = self._key(response.txn_id, response.ledger_id, response.entry_id)
                entries = () if response.entry is None else (response.entry,)
                self._read_responded(key, response.status, entries, ends)
            elif isinstance(response, BatchReadResponse):
                self._read_responded(response.request_id, response.status, response.entries, ends)
            elif isinstance(response, ReadLacResponse):
                self._lac_responded(response.txn_id, response.status, response.lac_body, ends)
            elif isinstance(response, WriteLacResponse):
                self._lac_responded(response.txn_id, response.status, None, ends)
            elif isinstance(response, ErrorResponse):
                self._error_responded(response, ends)
        return ends.all()

    def overdue(self, before: int) -> list[Ended]:
        """Calls with numbers below `before` have taken too long."""
        return self._given_up(
            self._adds.take_overdue(before),
            self._reads.take_overdue(before),
            self._lacs.take_overdue(before),
            Status.TIMEOUT,
        )

    def lost(self) -> list[Ended]:
        """The connection is gone: nobody knows what became of the calls."""
        self.parts.clear()
        return self._given_up(
            self._adds.take_all(),
            self._reads.take_all(),
            self._lacs.take_all(),
            Status.UNAVAILABLE,
        )

    def _given_up(
        self,
        adds: Sequence[AddRow],
        reads: Sequence[ReadRow],
        lacs: Sequence[LacDone],
        status: Status,
    ) -> list[Ended]:
        ends = _Ends()
        for add in adds:
            self.pending_bytes -= add.size_bytes
            ends.add(add, status)
        for read in reads:
            self._read_row_ended(read, status, (), ends)
        for done in lacs:
            ends.other(LacEnded(done, status, None))
        return ends.all()

    def _add_responded(self, key: Hashable, status: Status, ends: "_Ends") -> None:
        row, following = self._adds.take(key)
        if following is not None:
            encode_request(following, self.parts)
        if row is not None:
            self.pending_bytes -= row.size_bytes
            ends.add(row, status)

    def _read_responded(
        self, key: Hashable, status: Status, entries: Sequence[bytes], ends: "_Ends"
    ) -> None:
        row, following = self._reads.take(key)
        if following is not None:
            encode_request(following, self.parts)
        if row is not None:
            self._read_row_ended(row, status, entries, ends)

    def _read_row_ended(
        self, row: ReadRow, status: Status, entries: Sequence[bytes], ends: "_Ends"
    ) -> None:
        if row.batch:
            self.batches_under_way -= 1
        if end := row.read.answered(row.place, status, entries):
            ends.other(end)

    def _error_responded(self, response: ErrorResponse, ends: "_Ends") -> None:
        # Of version 3 only: the transaction id tells which call it was.
        if response.operation == Operation.ADD_ENTRY:
            self._add_responded(response.txn_id, response.status, ends)
        elif response.operation == Operation.READ_ENTRY:
            self._read_responded(response.txn_id, response.status, (), ends)
        else:
            self._lac_responded(response.txn_id, response.status, None, ends)

    def _lac_responded(
        self, txn_id: int, status: Status, body: bytes | None, ends: "_Ends"
    ) -> None:
        done, _ = self._lacs.take(txn_id)
        if done is not None:
            ends.other(LacEnded(done, status, body))

    def _number(self) -> int:
        number = self.next_number
        self.next_number = number + 1
        return number

    def _key(self, number: int, ledger_id: int, entry_id: int) -> Hashable:
        return number if self.version == VERSION_3 else (ledger_id, entry_id)


class _Ends:
    """Gathers ends, so that a sink is told of many adds at once."""

    def __init__(self) -> None:
        self._adds: dict[tuple[int, Status], list[AddRow]] = {}
        self._others: list[Ended] = []
        # Of the last add: mostly those of the next one too.
        self._sink: AddSink | None = None
        self._status = Status.OK
        self._rows: list[AddRow] = []

    def add(self, row: AddRow, status: Status) -> None:
        if row.sink is not self._sink or status is not self._status:
            self._sink, self._status = row.sink, status
            self._rows = self._adds.setdefault((id(row.sink), status), [])
        self._rows.append(row)

    def other(self, end: Ended) -> None:
        self._others.append(end)

    def all(self) -> list[Ended]:
        ends: list[Ended] = []
        for (_, status), rows in self._adds.items():
            rows.sort()  # by number: bookies may answer in any order
            ends.append(AddsEnded(rows[0].sink, [row.entry_id for row in rows], status))
        return [*ends, *self._others]
