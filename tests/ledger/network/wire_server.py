"""A server for any `Bookie`, so that the network client can be tried without one that is real.

`batch_reads` false is a server of before 4.17, which closes the connection at a batch read.
"""

import asyncio
from collections.abc import Callable, Sequence

from magnetar_proto.bookie import Bookie, Status
from magnetar_proto.bookkeeper.requests import (
    VERSION_3,
    AddRequest,
    BatchReadRequest,
    ForceLedgerRequest,
    ReadRequest,
    RefusedRequest,
    Request,
)
from magnetar_proto.bookkeeper.responses import (
    AddResponse,
    BatchReadResponse,
    ErrorResponse,
    ForceLedgerResponse,
    ReadResponse,
    Response,
)
from magnetar_proto.bookkeeper.stream import (
    DEFAULT_MAX_FRAME_BYTES,
    RequestStream,
    encode_response,
)


class WireServer:
    """Serves `bookie`, which may be replaced between connections."""

    def __init__(
        self,
        bookie: Bookie,
        *,
        batch_reads: bool = True,
        after_chunk: Callable[[], None] = lambda: None,
    ) -> None:
        self.bookie = bookie
        self.batch_reads = batch_reads
        self.after_chunk = after_chunk
        self.connections: list[ServerConnection] = []
        self.accepted = 0
        self.requests: list[Request] = []
        self.silent = False  # takes requests and never answers

    def protocol(self) -> "ServerConnection":
        return ServerConnection(self)

    def abort_all(self) -> None:
        for connection in list(self.connections):
            connection.transport.abort()


class ServerConnection(asyncio.BufferedProtocol):
    transport: asyncio.Transport

    def __init__(self, server: WireServer) -> None:
        self._server = server
        self._stream = RequestStream(DEFAULT_MAX_FRAME_BYTES)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server.accepted += 1
        self._server.connections.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.connections.remove(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._stream.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        for request in self._stream.buffer_updated(nbytes):
            self._server.requests.append(request)
            self._handle(request)
        self._server.after_chunk()

    def _handle(self, request: Request) -> None:
        server = self._server
        if server.silent:
            return
        if isinstance(request, AddRequest):
            server.bookie.add(
                request.ledger_id,
                [request.entry_id],
                request.master_key,
                [request.header],
                [request.payload],
                request.flags,
                _Add(self, request),
            )
        elif isinstance(request, ReadRequest):
            first, count, size = request.entry_id, 1, 0
            server.bookie.read(
                request.ledger_id,
                first,
                count,
                size,
                request.flags,
                request.master_key,
                _Read(self, request),
                0,
            )
        elif isinstance(request, BatchReadRequest) and server.batch_reads:
            overhead = 32 + 4 * request.max_entries
            server.bookie.read(
                request.ledger_id,
                request.first_entry_id,
                request.max_entries,
                request.max_bytes - overhead,
                request.flags,
                request.master_key,
                _Read(self, request),
                0,
            )
        elif isinstance(request, ForceLedgerRequest):
            self.send(ForceLedgerResponse(request.txn_id, Status.OK, request.ledger_id))
        elif isinstance(request, RefusedRequest):
            self.send(
                ErrorResponse(request.version, request.txn_id, request.operation, request.status)
            )
        else:
            self.transport.abort()

    def send(self, response: Response) -> None:
        parts: list[bytes] = []
        encode_response(response, parts)
        if not self.transport.is_closing():
            self.transport.write(b"".join(parts))


class _Add:
    def __init__(self, connection: ServerConnection, request: AddRequest) -> None:
        self._connection = connection
        self._request = request

    def adds_completed(self, entry_ids: Sequence[int], status: Status) -> None:
        r = self._request
        self._connection.send(AddResponse(r.version, r.txn_id, status, r.ledger_id, r.entry_id))


class _Read:
    def __init__(
        self, connection: ServerConnection, request: ReadRequest | BatchReadRequest
    ) -> None:
        self._connection = connection
        self._request = request

    def read_completed(
        self, context: int, status: Status, first_entry_id: int, entries: Sequence[bytes]
    ) -> None:
        r = self._request
        if isinstance(r, BatchReadRequest):
            assert r.version != VERSION_3
            response: Response = BatchReadResponse(
                r.version, status, r.ledger_id, r.first_entry_id, r.request_id, tuple(entries)
            )
        else:
            entry = entries[0] if entries else None
            response = ReadResponse(r.version, r.txn_id, status, r.ledger_id, r.entry_id, entry)
        self._connection.send(response)
