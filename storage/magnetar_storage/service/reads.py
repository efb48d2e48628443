"""Reads of one connection: begun a few at a time, answered as they end."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from magnetar_proto.bookie import FENCE, HIGH_PRIORITY, LAST_ENTRY, Status
from magnetar_proto.bookkeeper.requests import (
    ENTRY_PIGGYBACK,
    VERSION_3,
    BatchReadRequest,
    ReadLacRequest,
    ReadRequest,
)
from magnetar_proto.bookkeeper.responses import (
    BatchReadResponse,
    ReadLacResponse,
    ReadResponse,
    Response,
)
from magnetar_proto.bookkeeper.wire_v2 import MASTER_KEY_BYTES

from magnetar_storage.service.context import ServiceContext
from magnetar_storage.service.lac_table import lac_of
from magnetar_storage.service.read_window import ReadWindow

_BOOKIE_FLAGS: Final = FENCE | HIGH_PRIORITY
_ALL: Final = (1 << 31) - 1
_NO_ENTRY_ID: Final = (1 << 63) - 1
"""No ledger has an entry of this id: a read of it gives nothing, and reads no block."""
_BATCH_HEAD_BYTES: Final = 32
_SIZE_BYTES: Final = 4


class Output(Protocol):
    """Where answers go."""

    writable: bool

    def respond(self, response: Response) -> None: ...

    def reads_waiting(self, count: int) -> None:
        """So many reads have not begun."""


End = Callable[["ConnectionReads", Any, Status, Sequence[bytes]], None]
"""Answers a request when its read has ended."""


class _Read(NamedTuple):
    """How it ends, the request, then what the bookie is asked."""

    end: End
    request: Any
    ledger_id: int
    first_entry_id: int
    max_entries: int
    max_bytes: int
    flags: int
    master_key: bytes


class ConnectionReads:
    """The reads of one connection. A `magnetar_proto.bookie.ReadSink`.

    Those of high priority and fences are urgent: recovery does not stand behind load. They have a
    window of their own, as large, and begin first. A fence takes hold at once whatever waits; what
    its read gives waits for room as everything does.
    """

    def __init__(self, context: ServiceContext, output: Output) -> None:
        self.context = context
        self.output: Output = output
        self._waiting: deque[_Read] = deque()
        self._urgent: deque[_Read] = deque()
        self._in_work: dict[int, tuple[End, Any, ReadWindow | None]] = {}
        limits = context.limits
        bounds = limits.max_reads_in_work_per_connection, limits.max_read_bytes_per_connection
        self._window = ReadWindow(*bounds)
        self._urgent_window = ReadWindow(*bounds)
        self._next_context = 0
        self._polls: dict[object, Callable[[], None]] = {}
        self._closed = False

    def read(self, request: ReadRequest) -> None:
        """Read an entry, or begin a long poll."""
        if request.previous_lac is not None and not request.flags & FENCE:
            self._begin_poll(request)
        elif request.flags & FENCE and len(request.master_key) != MASTER_KEY_BYTES:
            _end_read(self, request, Status.UNAUTHORIZED, ())
        else:
            flags = request.flags & _BOOKIE_FLAGS
            self._queue_one(_end_read, request, request.entry_id, flags, request.master_key)

    def read_batch(self, request: BatchReadRequest) -> None:
        """Read entries that follow on."""
        limit = self.context.limits.max_batch_read_bytes
        wanted = request.max_bytes if 0 < request.max_bytes < limit else limit
        self._queue(
            _Read(
                _end_batch,
                request._replace(max_bytes=wanted),
                request.ledger_id,
                request.first_entry_id,
                request.max_entries if request.max_entries > 0 else _ALL,
                wanted,
                request.flags & _BOOKIE_FLAGS,
                request.master_key,
            )
        )

    def read_lac(self, request: ReadLacRequest) -> None:
        """What a writer told by itself, and the entry with the highest id."""
        self._queue_one(_end_read_lac, request, LAST_ENTRY)

    def read_completed(
        self, context: int, status: Status, first_entry_id: int, entries: Sequence[bytes]
    ) -> None:
        """See `magnetar_proto.bookie.ReadSink`."""
        end, request, window = self._in_work.pop(context)
        if window is not None:
            window.end(len(entries[0]) if len(entries) == 1 else sum(map(len, entries)))
        end(self, request, status, entries)
        self.begin_waiting()

    def begin_waiting(self) -> None:
        """Begin reads while there is room for what they give."""
        if self._urgent:
            self._begin_some(self._urgent, self._urgent_window)
        if self._waiting:
            self._begin_some(self._waiting, self._window)

    def _begin_some(self, waiting: deque[_Read], window: ReadWindow) -> None:
        before = len(waiting)
        while waiting and window.in_work < window.most and self.output.writable:
            self._begin(waiting.popleft(), window)
        if before != len(waiting):
            self.output.reads_waiting(len(self._waiting) + len(self._urgent))

    def close(self) -> None:
        """The connection is gone: nothing begins any more."""
        self._closed = True
        self._waiting.clear()
        self._urgent.clear()
        polls, self._polls = self._polls, {}
        for forget in polls.values():
            forget()

    def _queue_one(
        self,
        end: End,
        request: ReadRequest | ReadLacRequest,
        entry_id: int,
        flags: int = 0,
        master_key: bytes = b"",
    ) -> None:
        size = self.context.limits.max_batch_read_bytes
        self._queue(_Read(end, request, request.ledger_id, entry_id, 1, size, flags, master_key))

    def _queue(self, read: _Read) -> None:
        waiting, window = self._waiting, self._window
        if read.flags:
            waiting, window = self._urgent, self._urgent_window
        waiting.append(read)
        if window.in_work < window.most:
            self._begin_some(waiting, window)
        if waiting:
            if read.flags & FENCE:
                self._begin_fence(read)
            self.output.reads_waiting(len(self._waiting) + len(self._urgent))

    def _begin_fence(self, read: _Read) -> None:
        """The fence alone, of a read that waits: that one says how it ended, as it fences again.

        Scenario: a client that reads no answers asks for a thousand recovery reads of 5 MiB. None
        of their fences may wait for it, and none of their entries may be fetched before it reads.
        """
        self._begin(read._replace(end=_end_fence, first_entry_id=_NO_ENTRY_ID, max_entries=1), None)

    def _begin(self, read: _Read, window: ReadWindow | None) -> None:
        if self._closed:
            return
        context = self._next_context
        self._next_context += 1
        self._in_work[context] = (read.end, read.request, window)
        if window is not None:
            window.in_work += 1
        self.context.bookie.read(
            read.ledger_id,
            read.first_entry_id,
            read.max_entries,
            read.max_bytes,
            read.flags,
            read.master_key,
            self,
            context,
        )

    # Long polls: learn the LAC if it is not known, wait, then read the entry if it is wanted.

    def _begin_poll(self, request: ReadRequest) -> None:
        lac = self.context.lacs.get(request.ledger_id)
        if lac is None:
            self._queue_one(_end_learning, request, LAST_ENTRY)
        else:
            self.poll(request, lac)

    def poll(self, request: ReadRequest, lac: int) -> None:
        """Answer a long poll now or later; `lac` is known."""
        assert request.previous_lac is not None
        if lac > request.previous_lac:
            self.end_poll(request)
            return
        if self._closed:
            return
        key = object()

        def woken() -> None:
            if self._polls.pop(key, None) is not None:
                self.end_poll(request)

        timeout_ms = min(max(request.timeout_ms, 0), self.context.limits.max_long_poll_ms)
        self._polls[key] = self.context.polls.wait(
            request.ledger_id, request.previous_lac, timeout_ms, woken
        )

    def end_poll(self, request: ReadRequest) -> None:
        """The LAC has moved, or it is time."""
        assert request.previous_lac is not None
        lac = self.context.lacs.get(request.ledger_id)
        wanted = request.previous_lac + 1
        if request.flags & ENTRY_PIGGYBACK and lac is not None and lac >= wanted:
            self._queue_one(_end_piggyback, request, wanted)
            return
        self.output.respond(_poll_answer(self, request, LAST_ENTRY, None))


def _end_read(
    reads: ConnectionReads, request: ReadRequest, status: Status, entries: Sequence[bytes]
) -> None:
    context = reads.context
    entry = entries[0] if entries else None
    max_lac = None
    if request.flags & FENCE:
        _wake_polls(context, request.ledger_id)
    elif request.version == VERSION_3 and entry is not None:
        if context.lacs.get(request.ledger_id) is None:
            context.learn_explicit_lac(request.ledger_id)  # later ones are told
        context.learn_lac(request.ledger_id, lac_of(entry))
        max_lac = context.lacs.get(request.ledger_id)
    response = ReadResponse(
        request.version,
        request.txn_id,
        status,
        request.ledger_id,
        request.entry_id,
        entry,
        max_lac,
    )
    reads.output.respond(response)


def _end_fence(
    reads: ConnectionReads,
    request: ReadRequest | BatchReadRequest,
    status: Status,
    entries: Sequence[bytes],
) -> None:
    """No answer: the read itself follows."""
    _wake_polls(reads.context, request.ledger_id)


def _wake_polls(context: ServiceContext, ledger_id: int) -> None:
    """A ledger is fenced: who waits for its writer waits in vain."""
    if len(context.polls):
        context.polls.fenced(ledger_id)


def _end_batch(
    reads: ConnectionReads, request: BatchReadRequest, status: Status, entries: Sequence[bytes]
) -> None:
    """Lengths count too, so that fewer entries may go than were read; at least one does."""
    room = request.max_bytes - _BATCH_HEAD_BYTES
    count = 0
    for entry in entries:
        room -= len(entry) + _SIZE_BYTES
        if room < 0 and count:
            break
        count += 1
    response = BatchReadResponse(
        request.version,
        status,
        request.ledger_id,
        request.first_entry_id,
        request.request_id,
        tuple(entries[:count]),
    )
    reads.output.respond(response)


def _end_read_lac(
    reads: ConnectionReads, request: ReadLacRequest, status: Status, entries: Sequence[bytes]
) -> None:
    entry = entries[0] if entries else None
    if entry is not None:
        reads.context.learn_lac(request.ledger_id, lac_of(entry))
    body = reads.context.learn_explicit_lac(request.ledger_id)
    if body is not None and status is Status.NO_ENTRY:
        status = Status.OK
    response = ReadLacResponse(request.txn_id, status, request.ledger_id, body, entry)
    reads.output.respond(response)


def _end_learning(
    reads: ConnectionReads, request: ReadRequest, status: Status, entries: Sequence[bytes]
) -> None:
    """A ledger without entries is one whose LAC may come; everything else is an answer."""
    if status not in (Status.OK, Status.NO_ENTRY):
        _end_read(reads, request, status, ())
        return
    reads.context.learn_lac(request.ledger_id, lac_of(entries[0]) if entries else -1)
    reads.context.learn_explicit_lac(request.ledger_id)
    lac = reads.context.lacs.get(request.ledger_id)
    assert lac is not None
    reads.poll(request, lac)


def _end_piggyback(
    reads: ConnectionReads, request: ReadRequest, status: Status, entries: Sequence[bytes]
) -> None:
    """A bookie of another write set has the LAC and not the entry: that is no error."""
    assert request.previous_lac is not None
    entry_id = request.previous_lac + 1 if entries else LAST_ENTRY
    entry = entries[0] if entries else None
    reads.output.respond(_poll_answer(reads, request, entry_id, entry))


def _poll_answer(
    reads: ConnectionReads, request: ReadRequest, entry_id: int, entry: bytes | None
) -> ReadResponse:
    lac = reads.context.lacs.get(request.ledger_id)
    return ReadResponse(
        request.version, request.txn_id, Status.OK, request.ledger_id, entry_id, entry, lac
    )
