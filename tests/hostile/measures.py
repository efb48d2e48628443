"""What the tests of brokers and of bookies measure in the same way."""

import math
import socket
import struct
import time
from typing import Any, Final

from bench.memory import group_memory_bytes
from bench.workers import Worker, measure
from tests.proto.rubbish import repaired

_SIZE_BYTES: Final = 4
_SECONDS: Final = 4


def idle_connection_bytes(pid: int, port: int, attacks: str, peers: int) -> float:
    """What each of many idle connections takes of a server's memory; none of them is closed.

    Args:
        attacks: the module whose attack `idle` opens them.
    """
    before_bytes = group_memory_bytes(pid)
    worker = Worker(attacks, name="idle", port=port, seconds=_SECONDS)
    try:
        worker.wait_ready()
        time.sleep(1)
        each_bytes = (group_memory_bytes(pid) - before_bytes) / peers
        counts: dict[str, Any] = worker.result(_SECONDS)
    finally:
        worker.kill()
    print(f"{math.ceil(each_bytes / 1024)} KiB per idle connection")
    assert counts["closed"] == 0
    return each_bytes


def healthy_p99_ms(port: int, rate: int, seconds: float) -> float:
    """Of the receipts of a producer that sends so many messages a second to a broker."""
    figures = measure(
        "raw_paced",
        seconds,
        port=port,
        topic="persistent://public/default/healthy",
        payload_bytes=1024,
        rate=rate,
        messages=int(rate * seconds),
    )
    return float(figures["receipt_p99_ms"])


def exchange(peer: socket.socket, data: bytes, probe: bytes, answer: bytes) -> bool:
    """Send, and read until it was handled; false if the connection is of no use any more.

    Args:
        probe: sent behind it, which the server answers with something that has `answer` in it.
    """
    try:
        if len(data) <= _SIZE_BYTES or repaired(data) != data:  # the rest is waited for
            peer.sendall(data)
            return False
        peer.sendall(data + probe)
        came = b""
        while answer not in came:
            more = peer.recv(1 << 16)
            if not more:
                return False
            came = came[-len(answer) :] + more
    except ConnectionError:
        return False
    return True


def reset_when_closed(peer: socket.socket) -> None:
    """Keep no port for a connection that is long gone: there are tens of thousands of them."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
