"""One producer connection of the raw loader: bytes out of a batch, receipts counted."""

from bench import wire
from bench.batch import FIRST_SEQUENCE_ID, SendBatch
from bench.errors import WireError
from bench.raw_connection import RawConnection


class RawSender:
    """Sends the frames of its batch without blocking and checks that receipts come in order.

    The batch is made by the caller, as that takes longer than a server may take to start.

    Attributes:
        acknowledged: Receipts so far.
        wants_write: The socket was full; wait for it to become writable.
    """

    def __init__(self, port: int, topic: str, batch: SendBatch) -> None:
        self.connection = RawConnection(port)
        self.connection.open_producer(topic)
        self.connection.socket.setblocking(False)
        self._batch = batch
        self._view = memoryview(self._batch.buffer)
        self._at = 0
        self._sent_bytes = 0
        self._owes_pong = False
        self.acknowledged = 0
        self.wants_write = False

    @property
    def frame_bytes(self) -> int:
        """Size of one frame."""
        return self._batch.frame_bytes

    @property
    def started(self) -> int:
        """Messages of which at least a part was sent."""
        return -(-self._sent_bytes // self._batch.frame_bytes)

    def send_up_to(self, limit: int) -> None:
        """Sends until `limit` messages in all are out or the socket is full."""
        left = limit * self._batch.frame_bytes - self._sent_bytes
        self.wants_write = False
        while left > 0 or self._owes_pong:
            rest = -self._sent_bytes % self._batch.frame_bytes
            try:
                if self._owes_pong and not rest:
                    self._pong()
                    continue
                piece = self._view[self._at : self._at + (rest if self._owes_pong else left)]
                count = self.connection.socket.send(piece)
            except BlockingIOError:
                self.wants_write = True
                return
            self._at += count
            self._sent_bytes += count
            left -= count
            if self._at == len(self._view):
                self._batch.advance()
                self._at = 0

    def receive(self) -> int:
        """Takes one recv of receipts and returns how many there were."""
        count = 0
        connection = self.connection
        for run in connection.receive():
            kind, fields = wire.parse_command(connection.frame_at(run.last_start, run.frame_bytes))
            if kind == wire.SEND_RECEIPT:
                count += run.count
                self._check(fields, self.acknowledged + count)
            elif kind == wire.PING:
                # Between two frames, never within one that is half sent.
                self._owes_pong = True
            else:
                raise WireError(f"command {kind} among the receipts: {fields}")
        connection.consume()
        self.acknowledged += count
        return count

    def _pong(self) -> None:
        count = self.connection.socket.send(wire.PONG_FRAME)
        assert count == len(wire.PONG_FRAME), "so short a frame fits into a buffer or does not"
        self._owes_pong = False

    @staticmethod
    def _check(fields: dict[int, wire.Value], expected_count: int) -> None:
        # The last of a run: if one were missing or twice before it, this id would be off.
        if fields[2] != FIRST_SEQUENCE_ID + expected_count - 1:
            raise WireError(f"receipt {fields} where {expected_count} were expected")
