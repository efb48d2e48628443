"""A client's connection to the bookie: requests in, bookie calls out, answers back.

Each received chunk is cut into requests, and each is begun at once, without a task. What ends in
one turn of the loop leaves in one write.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Final, cast

from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper import requests as req
from magnetar_proto.bookkeeper import responses as res
from magnetar_proto.bookkeeper.requests import (
    FREE_DISK_SPACE,
    TOTAL_DISK_CAPACITY,
    AddRun,
    Request,
)
from magnetar_proto.bookkeeper.responses import Response
from magnetar_proto.bookkeeper.stream import RequestRunStream, encode_response
from magnetar_proto.errors import FrameError

from magnetar_storage.service.adds import ConnectionAdds
from magnetar_storage.service.context import ServiceContext
from magnetar_storage.service.reads import ConnectionReads

_log = logging.getLogger(__name__)

# Why reading is held.
_OUTPUT: Final = "output"
_ADDS: Final = "adds"
_READS: Final = "reads"
_BOOKIE: Final = "bookie"

_LARGE_PART_BYTES: Final = 1 << 10
"""With a part of this size a write is gathered by the transport; without, it is joined first."""

_AUTH_DISABLED: Final = "AuthDisabledPlugin"
"""What a bookie calls its plugin that has none: clients then count as authenticated."""


class BookieConnection(asyncio.BufferedProtocol):
    """One client."""

    def __init__(
        self, context: ServiceContext, closed: Callable[["BookieConnection"], None]
    ) -> None:
        """Args: `closed` is told when the connection is gone."""
        self._context = context
        self._told_closed = closed
        self._stream = RequestRunStream(context.limits.max_frame_bytes)
        self._adds = ConnectionAdds(context, self)
        self._reads = ConnectionReads(context, self)
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._dirty = False
        self._holds: set[Hashable] = set()
        self._closed = False
        self._peer = ""
        self.writable = False

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(
            self._context.limits.max_outgoing_bytes_per_connection
        )
        peer = transport.get_extra_info("peername")
        self._peer = f"{peer[0]}:{peer[1]}" if peer else ""
        self.writable = True
        self._context.counters.connections += 1
        self._context.counters.connections_opened += 1

    def get_buffer(self, sizehint: int) -> bytearray | memoryview:
        return self._stream.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self._handle(self._stream.buffer_updated(nbytes))
        except FrameError as error:
            # What came before the break counts, however the network cut the stream.
            self._handle(error.frames)
            self._context.counters.protocol_errors += 1
            _log.info("connection %s closed: %s", self._peer, error)
            self.close()

    def eof_received(self) -> None:
        """The peer sends no more: it is gone."""
        self.close()

    def pause_writing(self) -> None:
        self.writable = False
        self._hold(_OUTPUT)

    def resume_writing(self) -> None:
        if self._closed:
            return
        self.writable = True
        self._release(_OUTPUT)
        self._reads.begin_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            _log.info("connection %s lost: %s", self._peer, exc)
        self._end()
        self._transport = None
        self._context.counters.connections -= 1
        self._told_closed(self)

    @property
    def pending_adds(self) -> int:
        """Adds without their receipts."""
        return self._adds.pending

    @property
    def held(self) -> bool:
        """Whether the socket is not read for now."""
        return bool(self._holds)

    # In.

    def _handle(self, requests: Iterable[Request | AddRun]) -> None:
        if self._closed:
            return
        adds = self._adds
        for request in requests:
            if type(request) is req.AddRequest:
                adds.take(request)
                continue
            adds.hand_over()  # what was sent before is begun before
            if type(request) is AddRun:
                adds.add_run(request)
                continue
            _HANDLERS[type(request)](self, request)
        adds.hand_over()
        self._hold_adds()

    def _hold_adds(self) -> None:
        context, adds = self._context, self._adds
        if adds.pending > context.limits.max_pending_adds_per_connection:
            self._hold(_ADDS)
        if adds.pending and not context.bookie.writable and _BOOKIE not in self._holds:
            self._hold(_BOOKIE)
            context.bookie.when_writable(self._bookie_writable)

    def _bookie_writable(self) -> None:
        self._release(_BOOKIE)

    def adds_ended(self, count: int) -> None:
        """So many adds are answered."""
        half = self._context.limits.max_pending_adds_per_connection // 2
        if _ADDS in self._holds and self._adds.pending <= half:
            self._release(_ADDS)

    def reads_waiting(self, count: int) -> None:
        """So many reads have not begun."""
        limit = self._context.limits.max_waiting_reads_per_connection
        if count > limit:
            self._hold(_READS)
        elif count <= limit // 2:
            self._release(_READS)

    def _read(self, request: req.ReadRequest) -> None:
        self._reads.read(request)

    def _read_batch(self, request: req.BatchReadRequest) -> None:
        self._reads.read_batch(request)

    def _read_lac(self, request: req.ReadLacRequest) -> None:
        self._reads.read_lac(request)

    def _force(self, request: req.ForceLedgerRequest) -> None:
        self._adds.force(request.txn_id, request.ledger_id)

    def _authenticate(self, request: req.AuthRequest) -> None:
        """Everybody may do everything: a client that asks is told that it is let in."""
        self.respond(
            res.AuthResponse(request.version, request.txn_id, Status.OK, _AUTH_DISABLED, b"")
        )

    def _bookie_info(self, request: req.BookieInfoRequest) -> None:
        space = self._context.disk_space()
        if space is None:
            self.respond(res.BookieInfoResponse(request.txn_id, Status.IO_ERROR))
            return
        total = space.total_bytes if request.requested & TOTAL_DISK_CAPACITY else None
        free = space.free_bytes if request.requested & FREE_DISK_SPACE else None
        self.respond(res.BookieInfoResponse(request.txn_id, Status.OK, total, free))

    def _refuse(self, request: req.RefusedRequest) -> None:
        self._context.counters.requests_refused += 1
        self.respond(res.ErrorResponse(*request))

    def _not_served(
        self, request: req.WriteLacRequest | req.ListEntriesRequest | req.StartTlsRequest
    ) -> None:
        self._context.counters.requests_refused += 1
        operation = _NOT_SERVED[type(request)]
        self.respond(
            res.ErrorResponse(request.version, request.txn_id, operation, Status.BAD_REQUEST)
        )

    # Out.

    def send(self, data: bytes) -> None:
        """Append to what leaves with the one write of this loop turn."""
        if self._closed:
            return
        self._parts.append(data)
        self._mark_dirty()

    def respond(self, response: Response) -> None:
        """`send` of a response; an entry is not copied if it is large."""
        if self._closed:
            return
        encode_response(response, self._parts)
        self._mark_dirty()

    def _mark_dirty(self) -> None:
        if not self._dirty:
            self._dirty = True
            self._context.flusher.add(self)

    def flush(self) -> None:
        """Write what was sent in this turn."""
        self._dirty = False
        parts = self._parts
        if not parts or self._transport is None:
            return
        self._parts = []
        if max(map(len, parts)) >= _LARGE_PART_BYTES:
            self._transport.writelines(parts)
        else:
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))

    def close(self) -> None:
        """Send what waits, then close. What comes in from now on is not handled."""
        if self._closed:
            return
        self.flush()
        self._end()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, also if the peer does not read."""
        self._end()
        if self._transport is not None:
            self._transport.abort()

    def _end(self) -> None:
        self._closed = True
        self.writable = False
        self._parts.clear()
        self._reads.close()

    # Holding back.

    def _hold(self, reason: Hashable) -> None:
        """Stop reading until all reasons are gone."""
        if not self._holds and self._transport is not None and not self._closed:
            self._transport.pause_reading()
        self._holds.add(reason)

    def _release(self, reason: Hashable) -> None:
        if reason not in self._holds:
            return
        self._holds.discard(reason)
        if not self._holds and self._transport is not None and not self._closed:
            self._transport.resume_reading()


_NOT_SERVED: Final[Mapping[type, int]] = {
    req.WriteLacRequest: req.Operation.WRITE_LAC,
    req.ListEntriesRequest: req.Operation.GET_LIST_OF_ENTRIES_OF_LEDGER,
    req.StartTlsRequest: req.Operation.START_TLS,
}

_HANDLERS: Final[Mapping[type, Callable[[BookieConnection, Any], None]]] = {
    req.ReadRequest: BookieConnection._read,
    req.BatchReadRequest: BookieConnection._read_batch,
    req.ReadLacRequest: BookieConnection._read_lac,
    req.ForceLedgerRequest: BookieConnection._force,
    req.AuthRequest: BookieConnection._authenticate,
    req.BookieInfoRequest: BookieConnection._bookie_info,
    req.RefusedRequest: BookieConnection._refuse,
    **dict.fromkeys(_NOT_SERVED, BookieConnection._not_served),
}
