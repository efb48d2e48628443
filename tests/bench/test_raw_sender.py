"""One sender: whole frames out, receipts checked."""

import pytest

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
