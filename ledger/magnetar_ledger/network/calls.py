"""What is under way on one connection to a bookie: requests out, responses in, ends told.

Pure: a shell writes `parts`, brings the responses, and calls the sinks of the `Ends` it gets.
"""

from collections.abc import Hashable, Sequence
from itertools import repeat
from typing import Final, NamedTuple

from magnetar_proto.bookie import LAST_ENTRY, AddSink, ForceDone, ReadSink, Status
from magnetar_proto.bookkeeper.requests import (
    VERSION_2,
    VERSION_3,
    AddRequest,
    BatchReadRequest,
    ForceLedgerRequest,
    Operation,
    ReadLacRequest,
    ReadRequest,
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
from magnetar_proto.bookkeeper.runs import distinct
from magnetar_proto.bookkeeper.stream import encode_request

from magnetar_ledger.digest import entry_id_of
from magnetar_ledger.lac_keeper import LacDone
from magnetar_ledger.network.add_frames import AddFrames
from magnetar_ledger.network.ends import AddRow, Ended, Ends, LacEnded, ReadEnded
from magnetar_ledger.network.pending_rows import PendingRows

_BATCH_HEAD_BYTES: Final = 32
_BATCH_ENTRY_BYTES: Final = 4
_MAX_COUNT: Final = 2**31 - 1


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
    def stuck(self) -> bool:
        """Whether no further call on some entry can be sent on this connection."""
        return self._adds.stuck or self._reads.stuck or self._lacs.stuck

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
        if type(entry_ids) is not range and list(entry_ids) != sorted(entry_ids):
            return False  # of one call they are told in the order of their ids
        keys = list(zip(repeat(ledger_id), entry_ids))
        size = sum(map(len, headers)) + sum(map(len, payloads))
        row = AddRow(self.next_number, entry_ids[0], sink, len(keys), size)
        if not self._adds.put_run(keys, row.number, row):
            return False
        self.next_number += 1
        self.pending_bytes += size
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
        size = len(header) + len(payload)
        row = AddRow(number, entry_id, sink, 1, size)
        self.pending_bytes += size
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

    def force(self, ledger_id: int, done: ForceDone) -> None:
        """As `SyncDeferrer.force`. Version 3 only."""
        number = self._number()
        request = ForceLedgerRequest(number, ledger_id)
        self._lacs.put(number, number, lambda status, _body: done(status), request)
        encode_request(request, self.parts)

    def responded(self, responses: Sequence[Response | AddedRun]) -> list[Ended]:
        """Take what came in one piece."""
        ends = Ends()
        for response in responses:
            if isinstance(response, AddedRun):
                self._added(response, ends)
            elif isinstance(response, AddResponse):
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
            elif isinstance(response, WriteLacResponse | ForceLedgerResponse):
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
        adds: Sequence[tuple[Hashable, AddRow]],
        reads: Sequence[tuple[Hashable, ReadRow]],
        lacs: Sequence[tuple[Hashable, LacDone]],
        status: Status,
    ) -> list[Ended]:
        ends = Ends()
        for key, add in adds:
            self._adds_ended(add, (_entry_id(key, add),), status, ends)
        for _, read in reads:
            self._read_row_ended(read, status, (), ends)
        for _, done in lacs:
            ends.other(LacEnded(done, status, None))
        return ends.all()

    def _added(self, run: AddedRun, ends: Ends) -> None:
        """As `_add_responded` for each, at a fraction of the cost."""
        keys = list(zip(repeat(run.ledger_id), run.entry_ids))
        rows = self._adds.take_run(keys) if self.version == VERSION_2 else None
        if rows is None:
            for key in keys:
                self._add_responded(key, Status.OK, ends)
            return
        entry_ids = distinct(run.entry_ids) or run.entry_ids
        place = 0
        while place < len(rows):
            row = rows[place]
            if row is None:
                place += 1
                continue
            behind = place + row.following(rows, place)
            self._adds_ended(row, entry_ids[place:behind], Status.OK, ends)
            place = behind

    def _add_responded(self, key: Hashable, status: Status, ends: Ends) -> None:
        row, following = self._adds.take(key)
        if following is not None:
            encode_request(following, self.parts)
        if row is not None:
            self._adds_ended(row, (_entry_id(key, row),), status, ends)

    def _adds_ended(
        self, row: AddRow, entry_ids: Sequence[int], status: Status, ends: Ends
    ) -> None:
        self.pending_bytes -= row.end(len(entry_ids))
        ends.adds(row, entry_ids, status)

    def _read_responded(
        self, key: Hashable, status: Status, entries: Sequence[bytes], ends: Ends
    ) -> None:
        row, following = self._reads.take(key)
        if following is not None:
            encode_request(following, self.parts)
        if row is not None:
            self._read_row_ended(row, status, entries, ends)

    def _read_row_ended(
        self, row: ReadRow, status: Status, entries: Sequence[bytes], ends: Ends
    ) -> None:
        if row.batch:
            self.batches_under_way -= 1
        if end := row.read.answered(row.place, status, entries):
            ends.other(end)

    def _error_responded(self, response: ErrorResponse, ends: Ends) -> None:
        # Of version 3 only: the transaction id tells which call it was.
        if response.operation == Operation.ADD_ENTRY:
            self._add_responded(response.txn_id, response.status, ends)
        elif response.operation == Operation.READ_ENTRY:
            self._read_responded(response.txn_id, response.status, (), ends)
        else:
            self._lac_responded(response.txn_id, response.status, None, ends)

    def _lac_responded(self, txn_id: int, status: Status, body: bytes | None, ends: Ends) -> None:
        done, _ = self._lacs.take(txn_id)
        if done is not None:
            ends.other(LacEnded(done, status, body))

    def _number(self) -> int:
        number = self.next_number
        self.next_number = number + 1
        return number

    def _key(self, number: int, ledger_id: int, entry_id: int) -> Hashable:
        return number if self.version == VERSION_3 else (ledger_id, entry_id)


def _entry_id(key: Hashable, row: AddRow) -> int:
    """In version 2 the key has it, and many entries share a row."""
    return int(key[1]) if isinstance(key, tuple) else row.entry_id
