"""A client's connection to the bookie: requests in, bookie calls out, answers back.

Each received chunk is cut into requests, and each is begun at once, without a task. What ends in
one turn of the loop leaves in one write.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
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
from magnetar_runtime.tls import start_tls

from magnetar_storage.service.adds import ConnectionAdds
from magnetar_storage.service.context import ServiceContext
from magnetar_storage.service.nobody import NOBODY
from magnetar_storage.service.reads import ConnectionReads
from magnetar_storage.service.security import refusals_of, role_of

_log = logging.getLogger(__name__)

# Why reading is held.
_OUTPUT: Final = "output"
_ADDS: Final = "adds"
_READS: Final = "reads"
_BOOKIE: Final = "bookie"
_TURN: Final = "turn"

_REQUESTS_A_TURN: Final = 128
"""Of one chunk, adds not counted: a few milliseconds. The rest waits while others are served."""

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
        self._tls_begun = False
        self._upgrading = False  # nothing is written, what comes waits in `_early`
        self._early: list[Request | AddRun] = []
        self._turn_waits = False  # for the peer to take what waits for it
        self._broken: FrameError | None = None  # behind what waits for its turn
        self._admitted = not context.security.roles
        self.writable = False

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(
            self._context.limits.max_outgoing_bytes_per_connection
        )
        if (sock := transport.get_extra_info("socket")) is not None:
            # Nothing else would ever notice that an idle peer's machine is gone.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        peer = transport.get_extra_info("peername")
        self._peer = f"{peer[0]}:{peer[1]}" if peer else ""
        self.writable = True
        self._context.counters.connections += 1
        self._context.counters.connections_opened += 1

    def get_buffer(self, sizehint: int) -> bytearray | memoryview:
        return self._stream.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self._take(self._stream.buffer_updated(nbytes))
        except FrameError as error:
            # What came before the break counts, however the network cut the stream.
            self._take(error.frames)
            if _TURN in self._holds:
                self._broken = error
            else:
                self._fail(error)

    def _fail(self, error: object) -> None:
        """What the peer sends cannot be understood."""
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
        if self._turn_waits:
            self._turn_waits = False
            self._context.loop.call_soon(self._go_on)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            _log.info("connection %s lost: %s", self._peer, exc)
        self._end()
        if self._transport is None:
            return  # told already
        self._transport = None
        self._adds.output = self._reads.output = NOBODY
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

    def _take(self, requests: Sequence[Request | AddRun]) -> None:
        if self._upgrading or self._early:
            self._early += requests
        else:
            self._handle(requests)
            self._check_behind_start_tls(requests)

    def _check_behind_start_tls(self, requests: Sequence[Request | AddRun]) -> None:
        """What follows it in clear would be taken for something that came encrypted."""
        if self._upgrading and (
            self._stream.pending_bytes or not isinstance(requests[-1], req.StartTlsRequest)
        ):
            self._fail("something follows START_TLS in clear")

    def _handle(self, requests: Sequence[Request | AddRun]) -> None:
        if self._closed:
            return
        if not self._admitted:
            self._turn_away(requests)
            return
        adds, left = self._adds, _REQUESTS_A_TURN
        for place, request in enumerate(requests):
            if type(request) is req.AddRequest:
                adds.take(request)
                continue
            adds.hand_over()  # what was sent before is begun before
            if type(request) is AddRun:
                adds.add_run(request)
                continue
            if not left:
                self._go_on_later(requests[place:])
                break
            left -= 1
            _HANDLERS[type(request)](self, request)
        adds.hand_over()
        self._hold_adds()

    def _go_on_later(self, rest: Sequence[Request | AddRun]) -> None:
        self._early += rest
        self._hold(_TURN)
        self._context.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if _OUTPUT in self._holds and not self._closed:
            # What came before the peer stopped to read: to go on would only make it owed more.
            self._turn_waits = True
            return
        rest, self._early = self._early, []
        self._handle(rest)
        self._check_behind_start_tls(rest)
        if self._early:
            return
        self._release(_TURN)
        if self._broken is not None:
            self._fail(self._broken)

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

    def _write_lac(self, request: req.WriteLacRequest) -> None:
        self._adds.write_lac(request)

    def _list_entries(self, request: req.ListEntriesRequest) -> None:
        def listed(status: Status, availability: bytes | None) -> None:
            self.respond(
                res.ListEntriesResponse(request.txn_id, status, request.ledger_id, availability)
            )

        self._context.listings.list(request.ledger_id, listed)

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

    def _turn_away(self, requests: Iterable[Request | AddRun]) -> None:
        """Whoever has shown no role may begin TLS, nothing else."""
        for request in requests:
            if isinstance(request, req.StartTlsRequest):
                self._start_tls(request)
                continue
            self._context.counters.requests_refused += 1
            refusals = refusals_of(request)
            if not refusals:
                self.close()
                return
            for refusal in refusals:
                self.respond(refusal)

    def _start_tls(self, request: req.StartTlsRequest) -> None:
        context = self._context.security.tls
        if context is None or self._tls_begun:
            self._context.counters.requests_refused += 1
            operation = req.Operation.START_TLS
            self.respond(
                res.ErrorResponse(request.version, request.txn_id, operation, Status.BAD_REQUEST)
            )
            return
        self._tls_begun = True
        self.respond(res.StartTlsResponse(request.txn_id, Status.OK))
        self.flush()
        self._upgrading = True
        self._context.tasks.spawn(self._upgrade(context), name=f"TLS handshake of {self._peer}")

    async def _upgrade(self, context: ssl.SSLContext) -> None:
        security, clear = self._context.security, self._transport
        if clear is None or clear.is_closing():
            return  # gone before it began
        try:
            transport = await start_tls(
                clear,
                self,
                context,
                server_side=True,
                timeout_ms=security.handshake_timeout_ms,
            )
        except OSError as error:
            self.connection_lost(error)
            return
        self._transport = transport
        self._upgrading = False
        if self._closed:
            transport.abort()
            return
        transport.set_write_buffer_limits(self._context.limits.max_outgoing_bytes_per_connection)
        role = role_of(transport.get_extra_info("peercert"))
        self._admitted = self._admitted or role in security.roles
        if self._holds:
            transport.pause_reading()
        early, self._early = self._early, []
        self._handle(early)
        self.flush()

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
        if not parts or self._transport is None or self._upgrading:
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

    # Holding back. Within a TLS handshake the transport is not ours; `_upgrade` makes up for it.

    def _hold(self, reason: Hashable) -> None:
        """Stop reading until all reasons are gone."""
        if not self._holds and (transport := self._to_hold()) is not None:
            transport.pause_reading()
        self._holds.add(reason)

    def _to_hold(self) -> asyncio.Transport | None:
        return None if self._closed or self._upgrading else self._transport

    def _release(self, reason: Hashable) -> None:
        if reason not in self._holds:
            return
        self._holds.discard(reason)
        if not self._holds and (transport := self._to_hold()) is not None:
            transport.resume_reading()


_HANDLERS: Final[Mapping[type, Callable[[BookieConnection, Any], None]]] = {
    req.ReadRequest: BookieConnection._read,
    req.BatchReadRequest: BookieConnection._read_batch,
    req.ReadLacRequest: BookieConnection._read_lac,
    req.ForceLedgerRequest: BookieConnection._force,
    req.WriteLacRequest: BookieConnection._write_lac,
    req.AuthRequest: BookieConnection._authenticate,
    req.BookieInfoRequest: BookieConnection._bookie_info,
    req.RefusedRequest: BookieConnection._refuse,
    req.ListEntriesRequest: BookieConnection._list_entries,
    req.StartTlsRequest: BookieConnection._start_tls,
}
