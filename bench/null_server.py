"""A server that does nothing: it counts send frames by their size and answers receipts at once.

It shows what the raw loader can do at most. `python -m bench.null_server PORT`
"""

import selectors
import socket
import struct
import sys
from typing import Final

from bench import wire
from bench.batch import FIRST_SEQUENCE_ID, ID_WIDTH, SMALL_CYCLE
from bench.errors import WireError

RECEIVE_BYTES: Final = 1 << 20


class ReceiptTape:
    """Pre-encoded receipts in order; their ids advance like those of the loader's frames."""

    def __init__(self) -> None:
        frames = [self._frame(FIRST_SEQUENCE_ID + number) for number in range(SMALL_CYCLE)]
        self._frame_bytes = len(frames[0])
        self._buffer = bytearray(b"".join(frames))
        self._id_offset = frames[0].index(wire.varint(FIRST_SEQUENCE_ID))
        self._next = 0

    def take(self, count: int) -> bytes:
        """The next `count` receipts."""
        parts = []
        while count:
            at = self._next % SMALL_CYCLE
            now = min(count, SMALL_CYCLE - at)
            first, end = at * self._frame_bytes, (at + now) * self._frame_bytes
            parts.append(self._buffer[first:end])
            count -= now
            self._next += now
            if self._next % SMALL_CYCLE == 0:
                self._advance()
        return b"".join(parts)

    def _advance(self) -> None:
        digits = wire.varint(FIRST_SEQUENCE_ID + self._next)
        for index in range(2, ID_WIDTH):
            column = slice(self._id_offset + index, None, self._frame_bytes)
            self._buffer[column] = digits[index : index + 1] * SMALL_CYCLE

    @staticmethod
    def _frame(sequence_id: int) -> bytes:
        position = wire.message([(1, 1), (2, 1)])
        return wire.command(wire.SEND_RECEIPT, [(1, 0), (2, sequence_id), (3, position), (4, -1)])


class NullConnection:
    """One client: handshake by the book, then only sizes."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._pending = bytearray()
        self._tape = ReceiptTape()
        self._frame_bytes = 0
        self._received = 0

    def received(self, data: memoryview) -> None:
        """Takes bytes in and answers what they complete."""
        if self._frame_bytes:
            self._count(len(data))
            return
        self._pending += data
        while len(self._pending) >= 8:
            size, command_bytes = struct.unpack_from(">II", self._pending)
            if size > command_bytes + 4:
                self._frame_bytes = size + 4
                self._count(len(self._pending))
                self._pending.clear()
            elif len(self._pending) < size + 4:
                return
            else:
                self._answer(bytes(self._pending[: size + 4]))
                del self._pending[: size + 4]

    def _count(self, number_of_bytes: int) -> None:
        frames_before = self._received // self._frame_bytes
        self._received += number_of_bytes
        count = self._received // self._frame_bytes - frames_before
        if count:
            self.socket.sendall(self._tape.take(count))

    def _answer(self, frame: bytes) -> None:
        kind, fields = wire.parse_command(frame)
        if kind == wire.CONNECT:
            self.socket.sendall(wire.command(wire.CONNECTED, [(1, b"null"), (2, 21)]))
        elif kind == wire.LOOKUP:
            answer: wire.Fields = [(1, b"pulsar://127.0.0.1"), (3, 1), (4, fields[2])]
            self.socket.sendall(wire.command(wire.LOOKUP_RESPONSE, answer))
        elif kind == wire.PRODUCER:
            self.socket.sendall(wire.command(wire.PRODUCER_SUCCESS, [(1, fields[3]), (2, b"p")]))
        else:
            raise WireError(f"the null server has no command {kind}")


def serve(port: int) -> None:
    """Serves until it is killed."""
    listener = socket.create_server(("127.0.0.1", port))
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ, None)
    buffer = memoryview(bytearray(RECEIVE_BYTES))
    while True:
        for key, _ in selector.select():
            if key.data is None:
                accepted, _ = listener.accept()
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(accepted, selectors.EVENT_READ, NullConnection(accepted))
                continue
            connection: NullConnection = key.data
            try:
                count = connection.socket.recv_into(buffer)
                connection.received(buffer[:count])
            except ConnectionError:
                count = 0
            if count == 0:
                selector.unregister(connection.socket)
                connection.socket.close()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
