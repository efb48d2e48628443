"""One sender: whole frames out, receipts checked."""

import socket

import pytest

from bench import raw_sender, wire
from bench.batch import LARGE_CYCLE, SendBatch
from bench.errors import WireError
from bench.raw_sender import RawSender
from bench.servers import Server


def sender_on(server: Server) -> RawSender:
    sender = RawSender(server.port, "persistent://public/default/t", SendBatch(1024))
    sender.connection.socket.settimeout(5)
    return sender


def test_receipts_are_counted_over_cycles(null_server: Server) -> None:
    sender = sender_on(null_server)
    count = 2 * LARGE_CYCLE + 3
    sender.send_up_to(count)
    while sender.acknowledged < count:
        sender.receive()
    assert (sender.acknowledged, sender.started) == (count, count)
    sender.connection.close()


def test_a_missing_receipt_is_noticed(null_server: Server) -> None:
    sender = sender_on(null_server)
    sender.acknowledged = 1  # as if one had come that never did
    sender.send_up_to(3)
    with pytest.raises(WireError, match="were expected"):
        sender.receive()
    sender.connection.close()


class Connection(raw_sender.RawConnection):
    """A connection over one end of a pair, with a producer that nobody opened."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self.buffer = bytearray(1 << 16)
        self._view = memoryview(self.buffer)
        self._filled = self._parsed = 0

    def open_producer(self, topic: str) -> None:
        pass


def test_a_ping_is_answered_between_two_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes while a large frame is half sent, in any run of more than thirty seconds."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    monkeypatch.setattr(raw_sender, "RawConnection", lambda _: Connection(ours))
    batch = SendBatch(1 << 20)
    sender = RawSender(0, "topic", batch)
    expected = bytes(batch.buffer[: 2 * batch.frame_bytes])
    sender.send_up_to(2)
    assert sender.wants_write
    theirs.sendall(wire.command(wire.PING, []))
    sender.receive()
    data = bytearray()
    while len(data) < len(expected) + len(wire.PONG_FRAME):
        sender.send_up_to(2)
        data += theirs.recv(1 << 20)
    end = batch.frame_bytes
    assert data == expected[:end] + wire.PONG_FRAME + expected[end:]
    ours.close()
    theirs.close()
